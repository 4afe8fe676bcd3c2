from harken.feedback.v1 import surface_pb2 as _surface_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SlateDecision(_message.Message):
    __slots__ = ("surface_revision", "exploration", "candidate_ids", "utilities", "probabilities", "barred", "lowered", "lowered_unit", "new_items", "drawn")
    SURFACE_REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_IDS_FIELD_NUMBER: _ClassVar[int]
    UTILITIES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    BARRED_FIELD_NUMBER: _ClassVar[int]
    LOWERED_FIELD_NUMBER: _ClassVar[int]
    LOWERED_UNIT_FIELD_NUMBER: _ClassVar[int]
    NEW_ITEMS_FIELD_NUMBER: _ClassVar[int]
    DRAWN_FIELD_NUMBER: _ClassVar[int]
    surface_revision: int
    exploration: _surface_pb2.Exploration
    candidate_ids: _containers.RepeatedScalarFieldContainer[str]
    utilities: bytes
    probabilities: bytes
    barred: _containers.RepeatedScalarFieldContainer[bytes]
    lowered: _containers.RepeatedScalarFieldContainer[bytes]
    lowered_unit: float
    new_items: bytes
    drawn: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, surface_revision: _Optional[int] = ..., exploration: _Optional[_Union[_surface_pb2.Exploration, _Mapping]] = ..., candidate_ids: _Optional[_Iterable[str]] = ..., utilities: _Optional[bytes] = ..., probabilities: _Optional[bytes] = ..., barred: _Optional[_Iterable[bytes]] = ..., lowered: _Optional[_Iterable[bytes]] = ..., lowered_unit: _Optional[float] = ..., new_items: _Optional[bytes] = ..., drawn: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SlateExposure(_message.Message):
    __slots__ = ("experiment", "variant", "revision", "layer", "not_served")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    NOT_SERVED_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    variant: str
    revision: int
    layer: str
    not_served: bool
    def __init__(self, experiment: _Optional[str] = ..., variant: _Optional[str] = ..., revision: _Optional[int] = ..., layer: _Optional[str] = ..., not_served: bool = ...) -> None: ...
