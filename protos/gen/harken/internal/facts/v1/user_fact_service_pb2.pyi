from google.protobuf import struct_pb2 as _struct_pb2
from harken.common.v1 import consent_pb2 as _consent_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppendUserFactsRequest(_message.Message):
    __slots__ = ("tenant", "facts")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    facts: _containers.RepeatedCompositeFieldContainer[UserFact]
    def __init__(self, tenant: _Optional[str] = ..., facts: _Optional[_Iterable[_Union[UserFact, _Mapping]]] = ...) -> None: ...

class UserFact(_message.Message):
    __slots__ = ("user_key", "revision", "attributes", "consent")
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    user_key: bytes
    revision: int
    attributes: _struct_pb2.Struct
    consent: _consent_pb2.Consent
    def __init__(self, user_key: _Optional[bytes] = ..., revision: _Optional[int] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., consent: _Optional[_Union[_consent_pb2.Consent, _Mapping]] = ...) -> None: ...

class AppendUserFactsResponse(_message.Message):
    __slots__ = ("appended", "position")
    APPENDED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    appended: int
    position: bytes
    def __init__(self, appended: _Optional[int] = ..., position: _Optional[bytes] = ...) -> None: ...
