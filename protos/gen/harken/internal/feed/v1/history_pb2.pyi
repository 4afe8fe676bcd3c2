from harken.internal.facts.v1 import user_fact_service_pb2 as _user_fact_service_pb2
from harken.internal.feed.v1 import frame_pb2 as _frame_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class History(_message.Message):
    __slots__ = ("after_sequence", "content", "facts", "last")
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    after_sequence: int
    content: _frame_pb2.Frame
    facts: _containers.RepeatedCompositeFieldContainer[TenantFacts]
    last: bool
    def __init__(self, after_sequence: _Optional[int] = ..., content: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ..., facts: _Optional[_Iterable[_Union[TenantFacts, _Mapping]]] = ..., last: bool = ...) -> None: ...

class TenantFacts(_message.Message):
    __slots__ = ("tenant", "facts")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    facts: _containers.RepeatedCompositeFieldContainer[_user_fact_service_pb2.UserFact]
    def __init__(self, tenant: _Optional[str] = ..., facts: _Optional[_Iterable[_Union[_user_fact_service_pb2.UserFact, _Mapping]]] = ...) -> None: ...
