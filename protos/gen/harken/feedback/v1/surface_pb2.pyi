from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Surface(_message.Message):
    __slots__ = ("name", "config", "note", "revision", "etag", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    config: SurfaceConfig
    note: str
    revision: int
    etag: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., config: _Optional[_Union[SurfaceConfig, _Mapping]] = ..., note: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SurfaceConfig(_message.Message):
    __slots__ = ("outcome_weights", "gates", "seen", "not_in_last_slates", "sources", "rules", "diversity", "exploration")
    class OutcomeWeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class SeenEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OUTCOME_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    NOT_IN_LAST_SLATES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    outcome_weights: _containers.ScalarMap[str, float]
    gates: _containers.RepeatedCompositeFieldContainer[Gate]
    seen: _containers.ScalarMap[str, str]
    not_in_last_slates: int
    sources: _containers.RepeatedCompositeFieldContainer[SourceSetting]
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    diversity: Diversity
    exploration: Exploration
    def __init__(self, outcome_weights: _Optional[_Mapping[str, float]] = ..., gates: _Optional[_Iterable[_Union[Gate, _Mapping]]] = ..., seen: _Optional[_Mapping[str, str]] = ..., not_in_last_slates: _Optional[int] = ..., sources: _Optional[_Iterable[_Union[SourceSetting, _Mapping]]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., diversity: _Optional[_Union[Diversity, _Mapping]] = ..., exploration: _Optional[_Union[Exploration, _Mapping]] = ...) -> None: ...

class Gate(_message.Message):
    __slots__ = ("name", "keep")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    name: str
    keep: str
    def __init__(self, name: _Optional[str] = ..., keep: _Optional[str] = ...) -> None: ...

class SourceSetting(_message.Message):
    __slots__ = ("source", "quota", "weight", "time_limit")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIME_LIMIT_FIELD_NUMBER: _ClassVar[int]
    source: str
    quota: int
    weight: float
    time_limit: _duration_pb2.Duration
    def __init__(self, source: _Optional[str] = ..., quota: _Optional[int] = ..., weight: _Optional[float] = ..., time_limit: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("name", "when", "boost", "pin", "at_least", "at_most", "share", "cap", "sort")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    BOOST_FIELD_NUMBER: _ClassVar[int]
    PIN_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    AT_MOST_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    SORT_FIELD_NUMBER: _ClassVar[int]
    name: str
    when: str
    boost: Boost
    pin: Pin
    at_least: Number
    at_most: Number
    share: Share
    cap: Cap
    sort: Sort
    def __init__(self, name: _Optional[str] = ..., when: _Optional[str] = ..., boost: _Optional[_Union[Boost, _Mapping]] = ..., pin: _Optional[_Union[Pin, _Mapping]] = ..., at_least: _Optional[_Union[Number, _Mapping]] = ..., at_most: _Optional[_Union[Number, _Mapping]] = ..., share: _Optional[_Union[Share, _Mapping]] = ..., cap: _Optional[_Union[Cap, _Mapping]] = ..., sort: _Optional[_Union[Sort, _Mapping]] = ...) -> None: ...

class Boost(_message.Message):
    __slots__ = ("items", "factor")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    items: str
    factor: float
    def __init__(self, items: _Optional[str] = ..., factor: _Optional[float] = ...) -> None: ...

class Pin(_message.Message):
    __slots__ = ("item_id", "items", "slot")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    items: str
    slot: int
    def __init__(self, item_id: _Optional[str] = ..., items: _Optional[str] = ..., slot: _Optional[int] = ...) -> None: ...

class Number(_message.Message):
    __slots__ = ("items", "count")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    items: str
    count: int
    def __init__(self, items: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ("items", "share")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    items: str
    share: float
    def __init__(self, items: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class Cap(_message.Message):
    __slots__ = ("attribute", "most", "last_slates")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    LAST_SLATES_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    most: int
    last_slates: int
    def __init__(self, attribute: _Optional[str] = ..., most: _Optional[int] = ..., last_slates: _Optional[int] = ...) -> None: ...

class Sort(_message.Message):
    __slots__ = ("by", "ascending")
    BY_FIELD_NUMBER: _ClassVar[int]
    ASCENDING_FIELD_NUMBER: _ClassVar[int]
    by: str
    ascending: bool
    def __init__(self, by: _Optional[str] = ..., ascending: bool = ...) -> None: ...

class Diversity(_message.Message):
    __slots__ = ("method", "strength")
    class Method(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        METHOD_UNSPECIFIED: _ClassVar[Diversity.Method]
        METHOD_DPP: _ClassVar[Diversity.Method]
        METHOD_MMR: _ClassVar[Diversity.Method]
    METHOD_UNSPECIFIED: Diversity.Method
    METHOD_DPP: Diversity.Method
    METHOD_MMR: Diversity.Method
    METHOD_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    method: Diversity.Method
    strength: float
    def __init__(self, method: _Optional[_Union[Diversity.Method, str]] = ..., strength: _Optional[float] = ...) -> None: ...

class Exploration(_message.Message):
    __slots__ = ("epsilon", "plackett_luce_temperature", "thompson_scale", "new_item_share", "new_item_events")
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    PLACKETT_LUCE_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    THOMPSON_SCALE_FIELD_NUMBER: _ClassVar[int]
    NEW_ITEM_SHARE_FIELD_NUMBER: _ClassVar[int]
    NEW_ITEM_EVENTS_FIELD_NUMBER: _ClassVar[int]
    epsilon: float
    plackett_luce_temperature: float
    thompson_scale: float
    new_item_share: float
    new_item_events: int
    def __init__(self, epsilon: _Optional[float] = ..., plackett_luce_temperature: _Optional[float] = ..., thompson_scale: _Optional[float] = ..., new_item_share: _Optional[float] = ..., new_item_events: _Optional[int] = ...) -> None: ...
