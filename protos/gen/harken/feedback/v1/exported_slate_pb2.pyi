from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.feedback.v1 import surface_pb2 as _surface_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExportedSlate(_message.Message):
    __slots__ = ("slate_id", "subject", "surface", "generation_id", "policy", "seed", "serve_time", "accept_time", "sequence", "items", "outcome_names", "decision", "exposures", "outcomes", "window_over")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SERVE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_NAMES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EXPOSURES_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_OVER_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    subject: _subject_pb2.Subject
    surface: str
    generation_id: str
    policy: str
    seed: int
    serve_time: _timestamp_pb2.Timestamp
    accept_time: _timestamp_pb2.Timestamp
    sequence: int
    items: _containers.RepeatedCompositeFieldContainer[ExportedSlateItem]
    outcome_names: _containers.RepeatedScalarFieldContainer[str]
    decision: ExportedDecision
    exposures: _containers.RepeatedCompositeFieldContainer[ExportedExposure]
    outcomes: _containers.RepeatedCompositeFieldContainer[ExportedOutcome]
    window_over: bool
    def __init__(self, slate_id: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., surface: _Optional[str] = ..., generation_id: _Optional[str] = ..., policy: _Optional[str] = ..., seed: _Optional[int] = ..., serve_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., accept_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., sequence: _Optional[int] = ..., items: _Optional[_Iterable[_Union[ExportedSlateItem, _Mapping]]] = ..., outcome_names: _Optional[_Iterable[str]] = ..., decision: _Optional[_Union[ExportedDecision, _Mapping]] = ..., exposures: _Optional[_Iterable[_Union[ExportedExposure, _Mapping]]] = ..., outcomes: _Optional[_Iterable[_Union[ExportedOutcome, _Mapping]]] = ..., window_over: bool = ...) -> None: ...

class ExportedSlateItem(_message.Message):
    __slots__ = ("item_id", "propensity", "predicted")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    propensity: float
    predicted: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, item_id: _Optional[str] = ..., propensity: _Optional[float] = ..., predicted: _Optional[_Iterable[float]] = ...) -> None: ...

class ExportedDecision(_message.Message):
    __slots__ = ("surface_revision", "exploration", "candidate_ids", "utilities", "predicted", "barred", "lowered", "lowered_unit", "new_items", "drawn")
    SURFACE_REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_IDS_FIELD_NUMBER: _ClassVar[int]
    UTILITIES_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    BARRED_FIELD_NUMBER: _ClassVar[int]
    LOWERED_FIELD_NUMBER: _ClassVar[int]
    LOWERED_UNIT_FIELD_NUMBER: _ClassVar[int]
    NEW_ITEMS_FIELD_NUMBER: _ClassVar[int]
    DRAWN_FIELD_NUMBER: _ClassVar[int]
    surface_revision: int
    exploration: _surface_pb2.Exploration
    candidate_ids: _containers.RepeatedScalarFieldContainer[str]
    utilities: _containers.RepeatedScalarFieldContainer[float]
    predicted: _containers.RepeatedScalarFieldContainer[float]
    barred: _containers.RepeatedScalarFieldContainer[bytes]
    lowered: _containers.RepeatedScalarFieldContainer[bytes]
    lowered_unit: float
    new_items: bytes
    drawn: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, surface_revision: _Optional[int] = ..., exploration: _Optional[_Union[_surface_pb2.Exploration, _Mapping]] = ..., candidate_ids: _Optional[_Iterable[str]] = ..., utilities: _Optional[_Iterable[float]] = ..., predicted: _Optional[_Iterable[float]] = ..., barred: _Optional[_Iterable[bytes]] = ..., lowered: _Optional[_Iterable[bytes]] = ..., lowered_unit: _Optional[float] = ..., new_items: _Optional[bytes] = ..., drawn: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ExportedExposure(_message.Message):
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

class ExportedOutcome(_message.Message):
    __slots__ = ("item_id", "place", "type", "value", "delay")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    place: int
    type: str
    value: float
    delay: _duration_pb2.Duration
    def __init__(self, item_id: _Optional[str] = ..., place: _Optional[int] = ..., type: _Optional[str] = ..., value: _Optional[float] = ..., delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
