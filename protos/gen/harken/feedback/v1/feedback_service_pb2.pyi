from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.feedback.v1 import event_pb2 as _event_pb2
from harken.feedback.v1 import event_columns_pb2 as _event_columns_pb2
from harken.feedback.v1 import exported_slate_pb2 as _exported_slate_pb2
from harken.feedback.v1 import retraction_pb2 as _retraction_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordEventsRequest(_message.Message):
    __slots__ = ("tenant", "events")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    def __init__(self, tenant: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ...) -> None: ...

class RecordEventsResponse(_message.Message):
    __slots__ = ("results", "position")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_event_pb2.EventResult]
    position: bytes
    def __init__(self, results: _Optional[_Iterable[_Union[_event_pb2.EventResult, _Mapping]]] = ..., position: _Optional[bytes] = ...) -> None: ...

class ImportEventsRequest(_message.Message):
    __slots__ = ("tenant", "events", "columns")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    columns: _event_columns_pb2.EventColumns
    def __init__(self, tenant: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., columns: _Optional[_Union[_event_columns_pb2.EventColumns, _Mapping]] = ...) -> None: ...

class ImportEventsResponse(_message.Message):
    __slots__ = ("chunk", "accepted", "duplicates", "faults", "position")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    chunk: int
    accepted: int
    duplicates: int
    faults: _containers.RepeatedCompositeFieldContainer[_event_pb2.EventResult]
    position: bytes
    def __init__(self, chunk: _Optional[int] = ..., accepted: _Optional[int] = ..., duplicates: _Optional[int] = ..., faults: _Optional[_Iterable[_Union[_event_pb2.EventResult, _Mapping]]] = ..., position: _Optional[bytes] = ...) -> None: ...

class RetractEventsRequest(_message.Message):
    __slots__ = ("tenant", "event_ids")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant: _Optional[str] = ..., event_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RetractEventsResponse(_message.Message):
    __slots__ = ("results", "position")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_retraction_pb2.RetractionResult]
    position: bytes
    def __init__(self, results: _Optional[_Iterable[_Union[_retraction_pb2.RetractionResult, _Mapping]]] = ..., position: _Optional[bytes] = ...) -> None: ...

class ExportEventsRequest(_message.Message):
    __slots__ = ("tenant", "after_position", "until_position", "page_size", "for_learning")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_POSITION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    FOR_LEARNING_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    after_position: bytes
    until_position: bytes
    page_size: int
    for_learning: bool
    def __init__(self, tenant: _Optional[str] = ..., after_position: _Optional[bytes] = ..., until_position: _Optional[bytes] = ..., page_size: _Optional[int] = ..., for_learning: bool = ...) -> None: ...

class ExportEventsResponse(_message.Message):
    __slots__ = ("events", "position", "left_out")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[ExportedEvent]
    position: bytes
    left_out: int
    def __init__(self, events: _Optional[_Iterable[_Union[ExportedEvent, _Mapping]]] = ..., position: _Optional[bytes] = ..., left_out: _Optional[int] = ...) -> None: ...

class ExportSlatesRequest(_message.Message):
    __slots__ = ("tenant", "after_position", "until_position", "page_size", "window", "surface", "without_outcomes")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_POSITION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    after_position: bytes
    until_position: bytes
    page_size: int
    window: _duration_pb2.Duration
    surface: str
    without_outcomes: bool
    def __init__(self, tenant: _Optional[str] = ..., after_position: _Optional[bytes] = ..., until_position: _Optional[bytes] = ..., page_size: _Optional[int] = ..., window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., surface: _Optional[str] = ..., without_outcomes: bool = ...) -> None: ...

class ExportSlatesResponse(_message.Message):
    __slots__ = ("slates", "position", "window", "left_out")
    SLATES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    slates: _containers.RepeatedCompositeFieldContainer[_exported_slate_pb2.ExportedSlate]
    position: bytes
    window: _duration_pb2.Duration
    left_out: int
    def __init__(self, slates: _Optional[_Iterable[_Union[_exported_slate_pb2.ExportedSlate, _Mapping]]] = ..., position: _Optional[bytes] = ..., window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., left_out: _Optional[int] = ...) -> None: ...

class ExportedEvent(_message.Message):
    __slots__ = ("event_id", "subject", "item_id", "type", "value", "event_time", "accept_time", "slate_id", "context", "weight", "sequence", "event_time_given")
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
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_GIVEN_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    subject: _subject_pb2.Subject
    item_id: str
    type: str
    value: float
    event_time: _timestamp_pb2.Timestamp
    accept_time: _timestamp_pb2.Timestamp
    slate_id: str
    context: _containers.ScalarMap[str, str]
    weight: float
    sequence: int
    event_time_given: bool
    def __init__(self, event_id: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., item_id: _Optional[str] = ..., type: _Optional[str] = ..., value: _Optional[float] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., accept_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., slate_id: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ..., weight: _Optional[float] = ..., sequence: _Optional[int] = ..., event_time_given: bool = ...) -> None: ...
