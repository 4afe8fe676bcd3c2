from harken.profile.v1 import erasure_pb2 as _erasure_pb2
from harken.profile.v1 import user_export_pb2 as _user_export_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppendErasureRequest(_message.Message):
    __slots__ = ("tenant", "erasure_id", "user_key", "tombstone", "erased_at_us")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_US_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    erasure_id: str
    user_key: bytes
    tombstone: bytes
    erased_at_us: int
    def __init__(self, tenant: _Optional[str] = ..., erasure_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., tombstone: _Optional[bytes] = ..., erased_at_us: _Optional[int] = ...) -> None: ...

class AppendErasureResponse(_message.Message):
    __slots__ = ("position", "erased_at_us")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_US_FIELD_NUMBER: _ClassVar[int]
    position: bytes
    erased_at_us: int
    def __init__(self, position: _Optional[bytes] = ..., erased_at_us: _Optional[int] = ...) -> None: ...

class GetErasureProgressRequest(_message.Message):
    __slots__ = ("erasure_id",)
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    erasure_id: str
    def __init__(self, erasure_id: _Optional[str] = ...) -> None: ...

class GetErasureProgressResponse(_message.Message):
    __slots__ = ("state", "position", "erased_at_us", "searched", "entries", "receipts")
    STATE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_US_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    state: _erasure_pb2.ErasureState
    position: bytes
    erased_at_us: int
    searched: float
    entries: int
    receipts: _containers.RepeatedCompositeFieldContainer[_erasure_pb2.ErasureReceipt]
    def __init__(self, state: _Optional[_Union[_erasure_pb2.ErasureState, str]] = ..., position: _Optional[bytes] = ..., erased_at_us: _Optional[int] = ..., searched: _Optional[float] = ..., entries: _Optional[int] = ..., receipts: _Optional[_Iterable[_Union[_erasure_pb2.ErasureReceipt, _Mapping]]] = ...) -> None: ...

class AddReceiptsRequest(_message.Message):
    __slots__ = ("receipts",)
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedCompositeFieldContainer[_erasure_pb2.ErasureReceipt]
    def __init__(self, receipts: _Optional[_Iterable[_Union[_erasure_pb2.ErasureReceipt, _Mapping]]] = ...) -> None: ...

class AddReceiptsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReadUserRequest(_message.Message):
    __slots__ = ("tenant", "user_key")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    user_key: bytes
    def __init__(self, tenant: _Optional[str] = ..., user_key: _Optional[bytes] = ...) -> None: ...

class ReadUserResponse(_message.Message):
    __slots__ = ("position", "events", "slates")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SLATES_FIELD_NUMBER: _ClassVar[int]
    position: bytes
    events: _containers.RepeatedCompositeFieldContainer[_user_export_pb2.UserExportEvent]
    slates: _user_export_pb2.UserExportSlates
    def __init__(self, position: _Optional[bytes] = ..., events: _Optional[_Iterable[_Union[_user_export_pb2.UserExportEvent, _Mapping]]] = ..., slates: _Optional[_Union[_user_export_pb2.UserExportSlates, _Mapping]] = ...) -> None: ...
