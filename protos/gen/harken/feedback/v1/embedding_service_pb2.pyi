from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.feedback.v1 import frame_pb2 as _frame_pb2
from harken.feedback.v1 import history_pb2 as _history_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EmbeddingFault(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMBEDDING_FAULT_UNSPECIFIED: _ClassVar[EmbeddingFault]
    EMBEDDING_FAULT_INVALID_TARGET: _ClassVar[EmbeddingFault]
    EMBEDDING_FAULT_UNKNOWN_ITEM: _ClassVar[EmbeddingFault]
    EMBEDDING_FAULT_WRONG_DIMENSION: _ClassVar[EmbeddingFault]
    EMBEDDING_FAULT_NOT_FINITE: _ClassVar[EmbeddingFault]
    EMBEDDING_FAULT_OUT_OF_BOUNDS: _ClassVar[EmbeddingFault]
EMBEDDING_FAULT_UNSPECIFIED: EmbeddingFault
EMBEDDING_FAULT_INVALID_TARGET: EmbeddingFault
EMBEDDING_FAULT_UNKNOWN_ITEM: EmbeddingFault
EMBEDDING_FAULT_WRONG_DIMENSION: EmbeddingFault
EMBEDDING_FAULT_NOT_FINITE: EmbeddingFault
EMBEDDING_FAULT_OUT_OF_BOUNDS: EmbeddingFault

class SubscribeRequest(_message.Message):
    __slots__ = ("start", "ack", "nack")
    START_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    NACK_FIELD_NUMBER: _ClassVar[int]
    start: SubscribeStart
    ack: Ack
    nack: Nack
    def __init__(self, start: _Optional[_Union[SubscribeStart, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., nack: _Optional[_Union[Nack, _Mapping]] = ...) -> None: ...

class SubscribeStart(_message.Message):
    __slots__ = ("subscriber", "shard", "resume", "snapshot", "sections", "durable", "history")
    SUBSCRIBER_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    subscriber: str
    shard: int
    resume: ResumePoint
    snapshot: bool
    sections: _containers.RepeatedScalarFieldContainer[_frame_pb2.Section]
    durable: bool
    history: bool
    def __init__(self, subscriber: _Optional[str] = ..., shard: _Optional[int] = ..., resume: _Optional[_Union[ResumePoint, _Mapping]] = ..., snapshot: bool = ..., sections: _Optional[_Iterable[_Union[_frame_pb2.Section, str]]] = ..., durable: bool = ..., history: bool = ...) -> None: ...

class ResumePoint(_message.Message):
    __slots__ = ("epoch", "version", "through_sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    version: int
    through_sequence: int
    def __init__(self, epoch: _Optional[int] = ..., version: _Optional[int] = ..., through_sequence: _Optional[int] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class Nack(_message.Message):
    __slots__ = ("version", "reason")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version: int
    reason: str
    def __init__(self, version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("welcome", "snapshot_chunk", "frame", "heartbeat", "history")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_CHUNK_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    snapshot_chunk: SnapshotChunk
    frame: _frame_pb2.Frame
    heartbeat: Heartbeat
    history: _history_pb2.History
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., snapshot_chunk: _Optional[_Union[SnapshotChunk, _Mapping]] = ..., frame: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., history: _Optional[_Union[_history_pb2.History, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("epoch", "head_version", "through_sequence", "forks", "history")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_VERSION_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FORKS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    head_version: int
    through_sequence: int
    forks: _containers.RepeatedCompositeFieldContainer[Fork]
    history: bool
    def __init__(self, epoch: _Optional[int] = ..., head_version: _Optional[int] = ..., through_sequence: _Optional[int] = ..., forks: _Optional[_Iterable[_Union[Fork, _Mapping]]] = ..., history: bool = ...) -> None: ...

class Fork(_message.Message):
    __slots__ = ("epoch", "last_sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    last_sequence: int
    def __init__(self, epoch: _Optional[int] = ..., last_sequence: _Optional[int] = ...) -> None: ...

class SnapshotChunk(_message.Message):
    __slots__ = ("index", "last", "content")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    index: int
    last: bool
    content: _frame_pb2.Frame
    def __init__(self, index: _Optional[int] = ..., last: bool = ..., content: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("epoch", "head_version")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_VERSION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    head_version: int
    def __init__(self, epoch: _Optional[int] = ..., head_version: _Optional[int] = ...) -> None: ...

class PutEmbeddingsRequest(_message.Message):
    __slots__ = ("tenant", "generation_id", "embeddings")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    generation_id: str
    embeddings: _containers.RepeatedCompositeFieldContainer[Embedding]
    def __init__(self, tenant: _Optional[str] = ..., generation_id: _Optional[str] = ..., embeddings: _Optional[_Iterable[_Union[Embedding, _Mapping]]] = ...) -> None: ...

class Embedding(_message.Message):
    __slots__ = ("item_id", "subject", "values", "bias", "pinned")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    BIAS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    subject: _subject_pb2.Subject
    values: _containers.RepeatedScalarFieldContainer[float]
    bias: float
    pinned: bool
    def __init__(self, item_id: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., values: _Optional[_Iterable[float]] = ..., bias: _Optional[float] = ..., pinned: bool = ...) -> None: ...

class PutEmbeddingsResponse(_message.Message):
    __slots__ = ("results", "position")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[EmbeddingResult]
    position: bytes
    def __init__(self, results: _Optional[_Iterable[_Union[EmbeddingResult, _Mapping]]] = ..., position: _Optional[bytes] = ...) -> None: ...

class EmbeddingResult(_message.Message):
    __slots__ = ("ordinal", "fault", "detail")
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ordinal: int
    fault: EmbeddingFault
    detail: str
    def __init__(self, ordinal: _Optional[int] = ..., fault: _Optional[_Union[EmbeddingFault, str]] = ..., detail: _Optional[str] = ...) -> None: ...
