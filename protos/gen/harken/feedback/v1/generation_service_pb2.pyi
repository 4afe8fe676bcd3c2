from harken.feedback.v1 import generation_pb2 as _generation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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
    __slots__ = ("tenant", "generation_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    generation_id: str
    def __init__(self, tenant: _Optional[str] = ..., generation_id: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("manifest", "state")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    manifest: _generation_pb2.GenerationManifest
    state: _generation_pb2.GenerationState
    def __init__(self, manifest: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., state: _Optional[_Union[_generation_pb2.GenerationState, str]] = ...) -> None: ...
