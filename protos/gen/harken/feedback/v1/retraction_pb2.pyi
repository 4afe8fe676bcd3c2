from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetractionOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRACTION_OUTCOME_UNSPECIFIED: _ClassVar[RetractionOutcome]
    RETRACTION_OUTCOME_RETRACTED: _ClassVar[RetractionOutcome]
    RETRACTION_OUTCOME_ALREADY_RETRACTED: _ClassVar[RetractionOutcome]
    RETRACTION_OUTCOME_UNKNOWN_EVENT: _ClassVar[RetractionOutcome]
RETRACTION_OUTCOME_UNSPECIFIED: RetractionOutcome
RETRACTION_OUTCOME_RETRACTED: RetractionOutcome
RETRACTION_OUTCOME_ALREADY_RETRACTED: RetractionOutcome
RETRACTION_OUTCOME_UNKNOWN_EVENT: RetractionOutcome

class RetractionResult(_message.Message):
    __slots__ = ("ordinal", "outcome", "position")
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ordinal: int
    outcome: RetractionOutcome
    position: bytes
    def __init__(self, ordinal: _Optional[int] = ..., outcome: _Optional[_Union[RetractionOutcome, str]] = ..., position: _Optional[bytes] = ...) -> None: ...
