from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import consent_pb2 as _consent_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Profile(_message.Message):
    __slots__ = ("subject", "attributes", "etag", "update_time", "state", "counters", "seen_item_ids", "seen", "behaviour", "interests", "consent", "merged")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    SEEN_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    BEHAVIOUR_FIELD_NUMBER: _ClassVar[int]
    INTERESTS_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    MERGED_FIELD_NUMBER: _ClassVar[int]
    subject: _subject_pb2.Subject
    attributes: _struct_pb2.Struct
    etag: str
    update_time: _timestamp_pb2.Timestamp
    state: UserState
    counters: Counters
    seen_item_ids: _containers.RepeatedScalarFieldContainer[str]
    seen: SeenItems
    behaviour: Behaviour
    interests: Interests
    consent: _consent_pb2.Consent
    merged: _containers.RepeatedCompositeFieldContainer[_subject_pb2.Subject]
    def __init__(self, subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[UserState, _Mapping]] = ..., counters: _Optional[_Union[Counters, _Mapping]] = ..., seen_item_ids: _Optional[_Iterable[str]] = ..., seen: _Optional[_Union[SeenItems, _Mapping]] = ..., behaviour: _Optional[_Union[Behaviour, _Mapping]] = ..., interests: _Optional[_Union[Interests, _Mapping]] = ..., consent: _Optional[_Union[_consent_pb2.Consent, _Mapping]] = ..., merged: _Optional[_Iterable[_Union[_subject_pb2.Subject, _Mapping]]] = ...) -> None: ...

class Behaviour(_message.Message):
    __slots__ = ("as_of", "types", "active_days", "sessions", "events_by_hour", "events_by_weekday")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_DAYS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_BY_HOUR_FIELD_NUMBER: _ClassVar[int]
    EVENTS_BY_WEEKDAY_FIELD_NUMBER: _ClassVar[int]
    as_of: _timestamp_pb2.Timestamp
    types: _containers.RepeatedCompositeFieldContainer[TypeBehaviour]
    active_days: int
    sessions: int
    events_by_hour: _containers.RepeatedScalarFieldContainer[int]
    events_by_weekday: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, as_of: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., types: _Optional[_Iterable[_Union[TypeBehaviour, _Mapping]]] = ..., active_days: _Optional[int] = ..., sessions: _Optional[int] = ..., events_by_hour: _Optional[_Iterable[int]] = ..., events_by_weekday: _Optional[_Iterable[int]] = ...) -> None: ...

class TypeBehaviour(_message.Message):
    __slots__ = ("type", "events", "first_time", "last_time", "active_days", "events_7_days", "events_30_days", "value_sum")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_DAYS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_7_DAYS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_30_DAYS_FIELD_NUMBER: _ClassVar[int]
    VALUE_SUM_FIELD_NUMBER: _ClassVar[int]
    type: str
    events: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    active_days: int
    events_7_days: int
    events_30_days: int
    value_sum: float
    def __init__(self, type: _Optional[str] = ..., events: _Optional[int] = ..., first_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., active_days: _Optional[int] = ..., events_7_days: _Optional[int] = ..., events_30_days: _Optional[int] = ..., value_sum: _Optional[float] = ...) -> None: ...

class Interests(_message.Message):
    __slots__ = ("as_of", "categories", "tags", "items", "items_not_known")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_NOT_KNOWN_FIELD_NUMBER: _ClassVar[int]
    as_of: _timestamp_pb2.Timestamp
    categories: _containers.RepeatedCompositeFieldContainer[Interest]
    tags: _containers.RepeatedCompositeFieldContainer[Interest]
    items: int
    items_not_known: int
    def __init__(self, as_of: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., categories: _Optional[_Iterable[_Union[Interest, _Mapping]]] = ..., tags: _Optional[_Iterable[_Union[Interest, _Mapping]]] = ..., items: _Optional[int] = ..., items_not_known: _Optional[int] = ...) -> None: ...

class Interest(_message.Message):
    __slots__ = ("name", "short_term", "long_term", "events", "negative_events")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHORT_TERM_FIELD_NUMBER: _ClassVar[int]
    LONG_TERM_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_EVENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    short_term: float
    long_term: float
    events: int
    negative_events: int
    def __init__(self, name: _Optional[str] = ..., short_term: _Optional[float] = ..., long_term: _Optional[float] = ..., events: _Optional[int] = ..., negative_events: _Optional[int] = ...) -> None: ...

class SeenItems(_message.Message):
    __slots__ = ("item_ids", "kinds", "pair_items", "pair_kinds", "pair_times_us")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    PAIR_ITEMS_FIELD_NUMBER: _ClassVar[int]
    PAIR_KINDS_FIELD_NUMBER: _ClassVar[int]
    PAIR_TIMES_US_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedCompositeFieldContainer[SeenKind]
    pair_items: _containers.RepeatedScalarFieldContainer[int]
    pair_kinds: _containers.RepeatedScalarFieldContainer[int]
    pair_times_us: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[SeenKind, _Mapping]]] = ..., pair_items: _Optional[_Iterable[int]] = ..., pair_kinds: _Optional[_Iterable[int]] = ..., pair_times_us: _Optional[_Iterable[int]] = ...) -> None: ...

class SeenKind(_message.Message):
    __slots__ = ("type", "negative")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_FIELD_NUMBER: _ClassVar[int]
    type: str
    negative: bool
    def __init__(self, type: _Optional[str] = ..., negative: bool = ...) -> None: ...

class UserState(_message.Message):
    __slots__ = ("recent", "vector", "generation_id", "vector_set", "vector_pinned")
    RECENT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    VECTOR_SET_FIELD_NUMBER: _ClassVar[int]
    VECTOR_PINNED_FIELD_NUMBER: _ClassVar[int]
    recent: _containers.RepeatedCompositeFieldContainer[RecentEvent]
    vector: bytes
    generation_id: str
    vector_set: bool
    vector_pinned: bool
    def __init__(self, recent: _Optional[_Iterable[_Union[RecentEvent, _Mapping]]] = ..., vector: _Optional[bytes] = ..., generation_id: _Optional[str] = ..., vector_set: bool = ..., vector_pinned: bool = ...) -> None: ...

class RecentEvent(_message.Message):
    __slots__ = ("item_id", "type", "value", "event_time", "weight")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    type: str
    value: float
    event_time: _timestamp_pb2.Timestamp
    weight: float
    def __init__(self, item_id: _Optional[str] = ..., type: _Optional[str] = ..., value: _Optional[float] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class Counters(_message.Message):
    __slots__ = ("events", "events_by_type", "distinct_items", "first_event_time", "last_event_time")
    class EventsByTypeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_BY_TYPE_FIELD_NUMBER: _ClassVar[int]
    DISTINCT_ITEMS_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    events: int
    events_by_type: _containers.ScalarMap[str, int]
    distinct_items: int
    first_event_time: _timestamp_pb2.Timestamp
    last_event_time: _timestamp_pb2.Timestamp
    def __init__(self, events: _Optional[int] = ..., events_by_type: _Optional[_Mapping[str, int]] = ..., distinct_items: _Optional[int] = ..., first_event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
