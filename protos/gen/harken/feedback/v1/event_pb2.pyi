from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_OUTCOME_UNSPECIFIED: _ClassVar[EventOutcome]
    EVENT_OUTCOME_ACCEPTED: _ClassVar[EventOutcome]
    EVENT_OUTCOME_DUPLICATE: _ClassVar[EventOutcome]
    EVENT_OUTCOME_QUARANTINED: _ClassVar[EventOutcome]
    EVENT_OUTCOME_REJECTED: _ClassVar[EventOutcome]

class EventReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_REASON_UNSPECIFIED: _ClassVar[EventReason]
    EVENT_REASON_MISSING_EVENT_ID: _ClassVar[EventReason]
    EVENT_REASON_MISSING_SUBJECT: _ClassVar[EventReason]
    EVENT_REASON_MISSING_ITEM: _ClassVar[EventReason]
    EVENT_REASON_MISSING_TYPE: _ClassVar[EventReason]
    EVENT_REASON_INVALID_ID: _ClassVar[EventReason]
    EVENT_REASON_CONTEXT_TOO_LARGE: _ClassVar[EventReason]
    EVENT_REASON_EVENT_ID_REUSED: _ClassVar[EventReason]
    EVENT_REASON_UNKNOWN_TYPE: _ClassVar[EventReason]
    EVENT_REASON_UNKNOWN_ITEM: _ClassVar[EventReason]
    EVENT_REASON_VALUE_OUT_OF_RANGE: _ClassVar[EventReason]
    EVENT_REASON_MISSING_VALUE: _ClassVar[EventReason]
    EVENT_REASON_TIME_IN_FUTURE: _ClassVar[EventReason]
    EVENT_REASON_TIME_TOO_OLD: _ClassVar[EventReason]
    EVENT_REASON_INVALID_TIME: _ClassVar[EventReason]
    EVENT_REASON_USER_ERASED: _ClassVar[EventReason]
EVENT_OUTCOME_UNSPECIFIED: EventOutcome
EVENT_OUTCOME_ACCEPTED: EventOutcome
EVENT_OUTCOME_DUPLICATE: EventOutcome
EVENT_OUTCOME_QUARANTINED: EventOutcome
EVENT_OUTCOME_REJECTED: EventOutcome
EVENT_REASON_UNSPECIFIED: EventReason
EVENT_REASON_MISSING_EVENT_ID: EventReason
EVENT_REASON_MISSING_SUBJECT: EventReason
EVENT_REASON_MISSING_ITEM: EventReason
EVENT_REASON_MISSING_TYPE: EventReason
EVENT_REASON_INVALID_ID: EventReason
EVENT_REASON_CONTEXT_TOO_LARGE: EventReason
EVENT_REASON_EVENT_ID_REUSED: EventReason
EVENT_REASON_UNKNOWN_TYPE: EventReason
EVENT_REASON_UNKNOWN_ITEM: EventReason
EVENT_REASON_VALUE_OUT_OF_RANGE: EventReason
EVENT_REASON_MISSING_VALUE: EventReason
EVENT_REASON_TIME_IN_FUTURE: EventReason
EVENT_REASON_TIME_TOO_OLD: EventReason
EVENT_REASON_INVALID_TIME: EventReason
EVENT_REASON_USER_ERASED: EventReason

class Event(_message.Message):
    __slots__ = ("event_id", "subject", "item_id", "type", "value", "event_time", "slate_id", "context")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    subject: _subject_pb2.Subject
    item_id: str
    type: str
    value: float
    event_time: _timestamp_pb2.Timestamp
    slate_id: str
    context: _containers.ScalarMap[str, str]
    def __init__(self, event_id: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., item_id: _Optional[str] = ..., type: _Optional[str] = ..., value: _Optional[float] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., slate_id: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ...) -> None: ...

class EventResult(_message.Message):
    __slots__ = ("ordinal", "outcome", "reason", "detail", "position")
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ordinal: int
    outcome: EventOutcome
    reason: EventReason
    detail: str
    position: bytes
    def __init__(self, ordinal: _Optional[int] = ..., outcome: _Optional[_Union[EventOutcome, str]] = ..., reason: _Optional[_Union[EventReason, str]] = ..., detail: _Optional[str] = ..., position: _Optional[bytes] = ...) -> None: ...
