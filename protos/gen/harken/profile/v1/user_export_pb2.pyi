from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.feedback.v1 import event_pb2 as _event_pb2
from harken.feedback.v1 import exported_slate_pb2 as _exported_slate_pb2
from harken.feedback.v1 import feedback_service_pb2 as _feedback_service_pb2
from harken.profile.v1 import profile_pb2 as _profile_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UserExportHeader(_message.Message):
    __slots__ = ("schema", "subject", "export_time", "position")
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EXPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    schema: int
    subject: _subject_pb2.Subject
    export_time: _timestamp_pb2.Timestamp
    position: bytes
    def __init__(self, schema: _Optional[int] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., export_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., position: _Optional[bytes] = ...) -> None: ...

class UserExportEvent(_message.Message):
    __slots__ = ("event", "retracted", "quarantined")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    RETRACTED_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_FIELD_NUMBER: _ClassVar[int]
    event: _feedback_service_pb2.ExportedEvent
    retracted: bool
    quarantined: _event_pb2.EventReason
    def __init__(self, event: _Optional[_Union[_feedback_service_pb2.ExportedEvent, _Mapping]] = ..., retracted: bool = ..., quarantined: _Optional[_Union[_event_pb2.EventReason, str]] = ...) -> None: ...

class UserExportEvents(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[UserExportEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[UserExportEvent, _Mapping]]] = ...) -> None: ...

class UserExportSlates(_message.Message):
    __slots__ = ("slates",)
    SLATES_FIELD_NUMBER: _ClassVar[int]
    slates: _containers.RepeatedCompositeFieldContainer[_exported_slate_pb2.ExportedSlate]
    def __init__(self, slates: _Optional[_Iterable[_Union[_exported_slate_pb2.ExportedSlate, _Mapping]]] = ...) -> None: ...

class UserExportEnd(_message.Message):
    __slots__ = ("events", "slates")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SLATES_FIELD_NUMBER: _ClassVar[int]
    events: int
    slates: int
    def __init__(self, events: _Optional[int] = ..., slates: _Optional[int] = ...) -> None: ...

class UserExportPart(_message.Message):
    __slots__ = ("header", "profile", "events", "slates", "end")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SLATES_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    header: UserExportHeader
    profile: _profile_pb2.Profile
    events: UserExportEvents
    slates: UserExportSlates
    end: UserExportEnd
    def __init__(self, header: _Optional[_Union[UserExportHeader, _Mapping]] = ..., profile: _Optional[_Union[_profile_pb2.Profile, _Mapping]] = ..., events: _Optional[_Union[UserExportEvents, _Mapping]] = ..., slates: _Optional[_Union[UserExportSlates, _Mapping]] = ..., end: _Optional[_Union[UserExportEnd, _Mapping]] = ...) -> None: ...
