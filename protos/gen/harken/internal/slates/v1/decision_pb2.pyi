from harken.feedback.v1 import surface_pb2 as _surface_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SlateDecision(_message.Message):
    __slots__ = ("surface_revision", "exploration", "candidate_ids", "utilities", "probabilities", "barred", "lowered", "lowered_unit", "new_items", "drawn", "unboosted", "decided_places", "slots", "considered")
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
    UNBOOSTED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_PLACES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    CONSIDERED_FIELD_NUMBER: _ClassVar[int]
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
    unboosted: bytes
    decided_places: _containers.RepeatedScalarFieldContainer[int]
    slots: _containers.RepeatedCompositeFieldContainer[SlateSlot]
    considered: int
    def __init__(self, surface_revision: _Optional[int] = ..., exploration: _Optional[_Union[_surface_pb2.Exploration, _Mapping]] = ..., candidate_ids: _Optional[_Iterable[str]] = ..., utilities: _Optional[bytes] = ..., probabilities: _Optional[bytes] = ..., barred: _Optional[_Iterable[bytes]] = ..., lowered: _Optional[_Iterable[bytes]] = ..., lowered_unit: _Optional[float] = ..., new_items: _Optional[bytes] = ..., drawn: _Optional[_Iterable[bytes]] = ..., unboosted: _Optional[bytes] = ..., decided_places: _Optional[_Iterable[int]] = ..., slots: _Optional[_Iterable[_Union[SlateSlot, _Mapping]]] = ..., considered: _Optional[int] = ...) -> None: ...

class SlateSlot(_message.Message):
    __slots__ = ("sources", "effects", "place_without_rules")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    PLACE_WITHOUT_RULES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedScalarFieldContainer[str]
    effects: _containers.RepeatedCompositeFieldContainer[SlateEffect]
    place_without_rules: int
    def __init__(self, sources: _Optional[_Iterable[str]] = ..., effects: _Optional[_Iterable[_Union[SlateEffect, _Mapping]]] = ..., place_without_rules: _Optional[int] = ...) -> None: ...

class SlateEffect(_message.Message):
    __slots__ = ("rule", "effect")
    RULE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    rule: str
    effect: str
    def __init__(self, rule: _Optional[str] = ..., effect: _Optional[str] = ...) -> None: ...

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
