from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.feedback.v1 import surface_pb2 as _surface_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExperimentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPERIMENT_STATE_UNSPECIFIED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_DRAFT: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_RUNNING: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_STOPPED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_CONCLUDED: _ClassVar[ExperimentState]
EXPERIMENT_STATE_UNSPECIFIED: ExperimentState
EXPERIMENT_STATE_DRAFT: ExperimentState
EXPERIMENT_STATE_RUNNING: ExperimentState
EXPERIMENT_STATE_STOPPED: ExperimentState
EXPERIMENT_STATE_CONCLUDED: ExperimentState

class Experiment(_message.Message):
    __slots__ = ("name", "config", "note", "revision", "etag", "update_time", "state", "open_buckets", "start_time", "stop_time", "winner", "start_position")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    STOP_TIME_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    START_POSITION_FIELD_NUMBER: _ClassVar[int]
    name: str
    config: ExperimentConfig
    note: str
    revision: int
    etag: str
    update_time: _timestamp_pb2.Timestamp
    state: ExperimentState
    open_buckets: int
    start_time: _timestamp_pb2.Timestamp
    stop_time: _timestamp_pb2.Timestamp
    winner: str
    start_position: bytes
    def __init__(self, name: _Optional[str] = ..., config: _Optional[_Union[ExperimentConfig, _Mapping]] = ..., note: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[ExperimentState, str]] = ..., open_buckets: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., stop_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., winner: _Optional[str] = ..., start_position: _Optional[bytes] = ...) -> None: ...

class ExperimentConfig(_message.Message):
    __slots__ = ("layer", "buckets", "first_bucket", "salt", "surfaces", "variants", "primary", "guardrails", "window", "planned_users", "alpha")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    FIRST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    SURFACES_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    GUARDRAILS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PLANNED_USERS_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    layer: str
    buckets: int
    first_bucket: int
    salt: str
    surfaces: _containers.RepeatedScalarFieldContainer[str]
    variants: _containers.RepeatedCompositeFieldContainer[Variant]
    primary: Metric
    guardrails: _containers.RepeatedCompositeFieldContainer[Guardrail]
    window: _duration_pb2.Duration
    planned_users: int
    alpha: float
    def __init__(self, layer: _Optional[str] = ..., buckets: _Optional[int] = ..., first_bucket: _Optional[int] = ..., salt: _Optional[str] = ..., surfaces: _Optional[_Iterable[str]] = ..., variants: _Optional[_Iterable[_Union[Variant, _Mapping]]] = ..., primary: _Optional[_Union[Metric, _Mapping]] = ..., guardrails: _Optional[_Iterable[_Union[Guardrail, _Mapping]]] = ..., window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., planned_users: _Optional[int] = ..., alpha: _Optional[float] = ...) -> None: ...

class Variant(_message.Message):
    __slots__ = ("name", "weight", "surface", "exploration")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: int
    surface: str
    exploration: _surface_pb2.Exploration
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[int] = ..., surface: _Optional[str] = ..., exploration: _Optional[_Union[_surface_pb2.Exploration, _Mapping]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "event_types", "kind")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Metric.Kind]
        KIND_COUNT: _ClassVar[Metric.Kind]
        KIND_SUM: _ClassVar[Metric.Kind]
        KIND_ANY: _ClassVar[Metric.Kind]
    KIND_UNSPECIFIED: Metric.Kind
    KIND_COUNT: Metric.Kind
    KIND_SUM: Metric.Kind
    KIND_ANY: Metric.Kind
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    name: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    kind: Metric.Kind
    def __init__(self, name: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., kind: _Optional[_Union[Metric.Kind, str]] = ...) -> None: ...

class Guardrail(_message.Message):
    __slots__ = ("metric", "margin", "less_is_better")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    LESS_IS_BETTER_FIELD_NUMBER: _ClassVar[int]
    metric: Metric
    margin: float
    less_is_better: bool
    def __init__(self, metric: _Optional[_Union[Metric, _Mapping]] = ..., margin: _Optional[float] = ..., less_is_better: bool = ...) -> None: ...
