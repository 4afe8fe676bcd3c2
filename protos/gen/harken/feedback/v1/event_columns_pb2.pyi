from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventColumns(_message.Message):
    __slots__ = ("event_ids", "user_ids", "session_ids", "subjects", "item_ids", "items", "types", "type_indices", "values", "has_value", "event_times_us", "has_event_time", "slate_ids", "contexts")
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    SESSION_IDS_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    TYPE_INDICES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    HAS_VALUE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIMES_US_FIELD_NUMBER: _ClassVar[int]
    HAS_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SLATE_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    session_ids: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    items: _containers.RepeatedScalarFieldContainer[int]
    types: _containers.RepeatedScalarFieldContainer[str]
    type_indices: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    has_value: _containers.RepeatedScalarFieldContainer[bool]
    event_times_us: _containers.RepeatedScalarFieldContainer[int]
    has_event_time: _containers.RepeatedScalarFieldContainer[bool]
    slate_ids: _containers.RepeatedScalarFieldContainer[str]
    contexts: _containers.RepeatedCompositeFieldContainer[EventContext]
    def __init__(self, event_ids: _Optional[_Iterable[str]] = ..., user_ids: _Optional[_Iterable[str]] = ..., session_ids: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[int]] = ..., item_ids: _Optional[_Iterable[str]] = ..., items: _Optional[_Iterable[int]] = ..., types: _Optional[_Iterable[str]] = ..., type_indices: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., has_value: _Optional[_Iterable[bool]] = ..., event_times_us: _Optional[_Iterable[int]] = ..., has_event_time: _Optional[_Iterable[bool]] = ..., slate_ids: _Optional[_Iterable[str]] = ..., contexts: _Optional[_Iterable[_Union[EventContext, _Mapping]]] = ...) -> None: ...

class EventContext(_message.Message):
    __slots__ = ("entries",)
    class EntriesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.ScalarMap[str, str]
    def __init__(self, entries: _Optional[_Mapping[str, str]] = ...) -> None: ...
