from harken.common.v1 import subject_pb2 as _subject_pb2
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
