from google.protobuf import struct_pb2 as _struct_pb2
from harken.common.v1 import consent_pb2 as _consent_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppendUserFactsRequest(_message.Message):
    __slots__ = ("tenant", "facts", "links")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    facts: _containers.RepeatedCompositeFieldContainer[UserFact]
    links: _containers.RepeatedCompositeFieldContainer[UserLink]
    def __init__(self, tenant: _Optional[str] = ..., facts: _Optional[_Iterable[_Union[UserFact, _Mapping]]] = ..., links: _Optional[_Iterable[_Union[UserLink, _Mapping]]] = ...) -> None: ...

class UserLink(_message.Message):
    __slots__ = ("from_key", "into_key", "direct_key", "revision", "since_us", "source")
    FROM_KEY_FIELD_NUMBER: _ClassVar[int]
    INTO_KEY_FIELD_NUMBER: _ClassVar[int]
    DIRECT_KEY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    from_key: bytes
    into_key: bytes
    direct_key: bytes
    revision: int
    since_us: int
    source: str
    def __init__(self, from_key: _Optional[bytes] = ..., into_key: _Optional[bytes] = ..., direct_key: _Optional[bytes] = ..., revision: _Optional[int] = ..., since_us: _Optional[int] = ..., source: _Optional[str] = ...) -> None: ...

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
