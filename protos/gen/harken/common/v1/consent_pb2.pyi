from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Consent(_message.Message):
    __slots__ = ("personalisation", "learning", "exploration", "export")
    PERSONALISATION_FIELD_NUMBER: _ClassVar[int]
    LEARNING_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    EXPORT_FIELD_NUMBER: _ClassVar[int]
    personalisation: ConsentDecision
    learning: ConsentDecision
    exploration: ConsentDecision
    export: ConsentDecision
    def __init__(self, personalisation: _Optional[_Union[ConsentDecision, _Mapping]] = ..., learning: _Optional[_Union[ConsentDecision, _Mapping]] = ..., exploration: _Optional[_Union[ConsentDecision, _Mapping]] = ..., export: _Optional[_Union[ConsentDecision, _Mapping]] = ...) -> None: ...

class ConsentDecision(_message.Message):
    __slots__ = ("granted", "time", "source")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    granted: bool
    time: _timestamp_pb2.Timestamp
    source: str
    def __init__(self, granted: bool = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ...) -> None: ...
