from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.feedback.v1 import generation_pb2 as _generation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PromotionMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMOTION_MODE_UNSPECIFIED: _ClassVar[PromotionMode]
    PROMOTION_MODE_IF_BETTER: _ClassVar[PromotionMode]
    PROMOTION_MODE_NOW: _ClassVar[PromotionMode]
PROMOTION_MODE_UNSPECIFIED: PromotionMode
PROMOTION_MODE_IF_BETTER: PromotionMode
PROMOTION_MODE_NOW: PromotionMode

class PromoteGenerationRequest(_message.Message):
    __slots__ = ("tenant", "generation_id", "mode")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    generation_id: str
    mode: PromotionMode
    def __init__(self, tenant: _Optional[str] = ..., generation_id: _Optional[str] = ..., mode: _Optional[_Union[PromotionMode, str]] = ...) -> None: ...

class PromoteGenerationResponse(_message.Message):
    __slots__ = ("position", "state")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    position: bytes
    state: _generation_pb2.GenerationState
    def __init__(self, position: _Optional[bytes] = ..., state: _Optional[_Union[_generation_pb2.GenerationState, str]] = ...) -> None: ...

class RollbackGenerationRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class RollbackGenerationResponse(_message.Message):
    __slots__ = ("position", "generation_id", "state")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    position: bytes
    generation_id: str
    state: _generation_pb2.GenerationState
    def __init__(self, position: _Optional[bytes] = ..., generation_id: _Optional[str] = ..., state: _Optional[_Union[_generation_pb2.GenerationState, str]] = ...) -> None: ...

class FileChunk(_message.Message):
    __slots__ = ("name", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    data: bytes
    def __init__(self, name: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class PublishGenerationRequest(_message.Message):
    __slots__ = ("manifest", "chunk")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    manifest: _generation_pb2.GenerationManifest
    chunk: FileChunk
    def __init__(self, manifest: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., chunk: _Optional[_Union[FileChunk, _Mapping]] = ...) -> None: ...

class PublishGenerationResponse(_message.Message):
    __slots__ = ("manifest",)
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    manifest: _generation_pb2.GenerationManifest
    def __init__(self, manifest: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ...) -> None: ...

class DownloadGenerationRequest(_message.Message):
    __slots__ = ("tenant", "generation_id", "file_names")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_NAMES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    generation_id: str
    file_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant: _Optional[str] = ..., generation_id: _Optional[str] = ..., file_names: _Optional[_Iterable[str]] = ...) -> None: ...

class DownloadGenerationResponse(_message.Message):
    __slots__ = ("manifest", "chunk")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    manifest: _generation_pb2.GenerationManifest
    chunk: FileChunk
    def __init__(self, manifest: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., chunk: _Optional[_Union[FileChunk, _Mapping]] = ...) -> None: ...

class ListGenerationsRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class ListGenerationsResponse(_message.Message):
    __slots__ = ("generations",)
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    generations: _containers.RepeatedCompositeFieldContainer[GenerationSummary]
    def __init__(self, generations: _Optional[_Iterable[_Union[GenerationSummary, _Mapping]]] = ...) -> None: ...

class GenerationSummary(_message.Message):
    __slots__ = ("manifest", "state", "retired_reason", "validation", "guard", "vector_rollbacks", "activate_time")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RETIRED_REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    GUARD_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ROLLBACKS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATE_TIME_FIELD_NUMBER: _ClassVar[int]
    manifest: _generation_pb2.GenerationManifest
    state: _generation_pb2.GenerationState
    retired_reason: str
    validation: LiveComparison
    guard: LiveComparison
    vector_rollbacks: int
    activate_time: _timestamp_pb2.Timestamp
    def __init__(self, manifest: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., state: _Optional[_Union[_generation_pb2.GenerationState, str]] = ..., retired_reason: _Optional[str] = ..., validation: _Optional[_Union[LiveComparison, _Mapping]] = ..., guard: _Optional[_Union[LiveComparison, _Mapping]] = ..., vector_rollbacks: _Optional[int] = ..., activate_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LiveComparison(_message.Message):
    __slots__ = ("events", "mean_difference", "lower", "upper")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    MEAN_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    events: int
    mean_difference: float
    lower: float
    upper: float
    def __init__(self, events: _Optional[int] = ..., mean_difference: _Optional[float] = ..., lower: _Optional[float] = ..., upper: _Optional[float] = ...) -> None: ...
