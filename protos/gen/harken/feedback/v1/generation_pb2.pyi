from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EncoderKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODER_KIND_UNSPECIFIED: _ClassVar[EncoderKind]
    ENCODER_KIND_FOLD_IN: _ClassVar[EncoderKind]

class GenerationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GENERATION_STATE_UNSPECIFIED: _ClassVar[GenerationState]
    GENERATION_STATE_PUBLISHED: _ClassVar[GenerationState]
    GENERATION_STATE_ACTIVE: _ClassVar[GenerationState]
    GENERATION_STATE_STAGED: _ClassVar[GenerationState]
    GENERATION_STATE_STANDBY: _ClassVar[GenerationState]
    GENERATION_STATE_RETIRED: _ClassVar[GenerationState]
ENCODER_KIND_UNSPECIFIED: EncoderKind
ENCODER_KIND_FOLD_IN: EncoderKind
GENERATION_STATE_UNSPECIFIED: GenerationState
GENERATION_STATE_PUBLISHED: GenerationState
GENERATION_STATE_ACTIVE: GenerationState
GENERATION_STATE_STAGED: GenerationState
GENERATION_STATE_STANDBY: GenerationState
GENERATION_STATE_RETIRED: GenerationState

class GenerationManifest(_message.Message):
    __slots__ = ("generation_id", "tenant", "dimension", "max_norm", "encoder", "scorer_features", "content_buckets", "trained_through_sequence", "publish_time", "files", "metrics", "outcomes")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    MAX_NORM_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    SCORER_FEATURES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    TRAINED_THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    tenant: str
    dimension: int
    max_norm: float
    encoder: Encoder
    scorer_features: _containers.RepeatedScalarFieldContainer[str]
    content_buckets: int
    trained_through_sequence: int
    publish_time: _timestamp_pb2.Timestamp
    files: _containers.RepeatedCompositeFieldContainer[GenerationFile]
    metrics: _containers.ScalarMap[str, float]
    outcomes: _containers.RepeatedCompositeFieldContainer[Outcome]
    def __init__(self, generation_id: _Optional[str] = ..., tenant: _Optional[str] = ..., dimension: _Optional[int] = ..., max_norm: _Optional[float] = ..., encoder: _Optional[_Union[Encoder, _Mapping]] = ..., scorer_features: _Optional[_Iterable[str]] = ..., content_buckets: _Optional[int] = ..., trained_through_sequence: _Optional[int] = ..., publish_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., files: _Optional[_Iterable[_Union[GenerationFile, _Mapping]]] = ..., metrics: _Optional[_Mapping[str, float]] = ..., outcomes: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("name", "event_types", "min_value", "weight", "return_window")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    MIN_VALUE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    RETURN_WINDOW_FIELD_NUMBER: _ClassVar[int]
    name: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    min_value: float
    weight: float
    return_window: ReturnWindow
    def __init__(self, name: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., min_value: _Optional[float] = ..., weight: _Optional[float] = ..., return_window: _Optional[_Union[ReturnWindow, _Mapping]] = ...) -> None: ...

class ReturnWindow(_message.Message):
    __slots__ = ("after", "until")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    after: _duration_pb2.Duration
    until: _duration_pb2.Duration
    def __init__(self, after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., until: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ItemVectorFile(_message.Message):
    __slots__ = ("item_ids", "vectors", "biases")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    vectors: bytes
    biases: bytes
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., vectors: _Optional[bytes] = ..., biases: _Optional[bytes] = ...) -> None: ...

class GenerationFile(_message.Message):
    __slots__ = ("name", "size", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    sha256: bytes
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class Encoder(_message.Message):
    __slots__ = ("kind", "length", "decay", "alpha", "regularization")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    DECAY_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    REGULARIZATION_FIELD_NUMBER: _ClassVar[int]
    kind: EncoderKind
    length: int
    decay: float
    alpha: float
    regularization: float
    def __init__(self, kind: _Optional[_Union[EncoderKind, str]] = ..., length: _Optional[int] = ..., decay: _Optional[float] = ..., alpha: _Optional[float] = ..., regularization: _Optional[float] = ...) -> None: ...

class OutcomeFigures(_message.Message):
    __slots__ = ("surface", "outcome", "examples", "predicted", "actual", "calibration_error")
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_ERROR_FIELD_NUMBER: _ClassVar[int]
    surface: str
    outcome: str
    examples: float
    predicted: float
    actual: float
    calibration_error: float
    def __init__(self, surface: _Optional[str] = ..., outcome: _Optional[str] = ..., examples: _Optional[float] = ..., predicted: _Optional[float] = ..., actual: _Optional[float] = ..., calibration_error: _Optional[float] = ...) -> None: ...
