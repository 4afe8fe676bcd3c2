from google.protobuf import struct_pb2 as _struct_pb2
from harken.common.v1 import consent_pb2 as _consent_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Entries(_message.Message):
    __slots__ = ("shard", "epoch", "after_sequence", "through_sequence", "accepted_at_us", "tenants")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    shard: int
    epoch: int
    after_sequence: int
    through_sequence: int
    accepted_at_us: int
    tenants: _containers.RepeatedCompositeFieldContainer[TenantEntries]
    def __init__(self, shard: _Optional[int] = ..., epoch: _Optional[int] = ..., after_sequence: _Optional[int] = ..., through_sequence: _Optional[int] = ..., accepted_at_us: _Optional[int] = ..., tenants: _Optional[_Iterable[_Union[TenantEntries, _Mapping]]] = ...) -> None: ...

class TenantEntries(_message.Message):
    __slots__ = ("tenant", "item_ids", "user_keys", "types", "events", "retracted", "vectors", "facts", "items", "shown", "erased", "merged", "unmerged")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    USER_KEYS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RETRACTED_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    MERGED_FIELD_NUMBER: _ClassVar[int]
    UNMERGED_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    user_keys: _containers.RepeatedScalarFieldContainer[bytes]
    types: _containers.RepeatedScalarFieldContainer[str]
    events: EventColumns
    retracted: EventColumns
    vectors: _containers.RepeatedCompositeFieldContainer[UserVectors]
    facts: _containers.RepeatedCompositeFieldContainer[UserFact]
    items: ItemVisibility
    shown: _containers.RepeatedCompositeFieldContainer[ShownSlate]
    erased: _containers.RepeatedCompositeFieldContainer[ErasedUser]
    merged: _containers.RepeatedCompositeFieldContainer[UserLink]
    unmerged: _containers.RepeatedCompositeFieldContainer[UserLink]
    def __init__(self, tenant: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., user_keys: _Optional[_Iterable[bytes]] = ..., types: _Optional[_Iterable[str]] = ..., events: _Optional[_Union[EventColumns, _Mapping]] = ..., retracted: _Optional[_Union[EventColumns, _Mapping]] = ..., vectors: _Optional[_Iterable[_Union[UserVectors, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[UserFact, _Mapping]]] = ..., items: _Optional[_Union[ItemVisibility, _Mapping]] = ..., shown: _Optional[_Iterable[_Union[ShownSlate, _Mapping]]] = ..., erased: _Optional[_Iterable[_Union[ErasedUser, _Mapping]]] = ..., merged: _Optional[_Iterable[_Union[UserLink, _Mapping]]] = ..., unmerged: _Optional[_Iterable[_Union[UserLink, _Mapping]]] = ...) -> None: ...

class ErasedUser(_message.Message):
    __slots__ = ("erasure_id", "user_key", "tombstone", "erased_at_us", "sequence_offset")
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_US_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    erasure_id: str
    user_key: bytes
    tombstone: bytes
    erased_at_us: int
    sequence_offset: int
    def __init__(self, erasure_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., tombstone: _Optional[bytes] = ..., erased_at_us: _Optional[int] = ..., sequence_offset: _Optional[int] = ...) -> None: ...

class UserLink(_message.Message):
    __slots__ = ("user", "into", "direct", "revision", "since_us", "source", "sequence_offset")
    USER_FIELD_NUMBER: _ClassVar[int]
    INTO_FIELD_NUMBER: _ClassVar[int]
    DIRECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    user: int
    into: int
    direct: int
    revision: int
    since_us: int
    source: str
    sequence_offset: int
    def __init__(self, user: _Optional[int] = ..., into: _Optional[int] = ..., direct: _Optional[int] = ..., revision: _Optional[int] = ..., since_us: _Optional[int] = ..., source: _Optional[str] = ..., sequence_offset: _Optional[int] = ...) -> None: ...

class ShownSlate(_message.Message):
    __slots__ = ("slate_id", "user_key", "surface", "items", "slates")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SLATES_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    user_key: bytes
    surface: str
    items: _containers.RepeatedScalarFieldContainer[int]
    slates: int
    def __init__(self, slate_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., surface: _Optional[str] = ..., items: _Optional[_Iterable[int]] = ..., slates: _Optional[int] = ...) -> None: ...

class EventColumns(_message.Message):
    __slots__ = ("users", "items", "types", "values", "time_offsets_us", "sequence_offsets", "weights", "accepted_offsets_us")
    USERS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TIME_OFFSETS_US_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_OFFSETS_US_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[int]
    items: _containers.RepeatedScalarFieldContainer[int]
    types: _containers.RepeatedScalarFieldContainer[int]
    values: bytes
    time_offsets_us: _containers.RepeatedScalarFieldContainer[int]
    sequence_offsets: _containers.RepeatedScalarFieldContainer[int]
    weights: bytes
    accepted_offsets_us: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, users: _Optional[_Iterable[int]] = ..., items: _Optional[_Iterable[int]] = ..., types: _Optional[_Iterable[int]] = ..., values: _Optional[bytes] = ..., time_offsets_us: _Optional[_Iterable[int]] = ..., sequence_offsets: _Optional[_Iterable[int]] = ..., weights: _Optional[bytes] = ..., accepted_offsets_us: _Optional[_Iterable[int]] = ...) -> None: ...

class UserVectors(_message.Message):
    __slots__ = ("generation_id", "users", "vectors", "pinned", "sequence_offsets")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    users: _containers.RepeatedScalarFieldContainer[int]
    vectors: bytes
    pinned: _containers.RepeatedScalarFieldContainer[bool]
    sequence_offsets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, generation_id: _Optional[str] = ..., users: _Optional[_Iterable[int]] = ..., vectors: _Optional[bytes] = ..., pinned: _Optional[_Iterable[bool]] = ..., sequence_offsets: _Optional[_Iterable[int]] = ...) -> None: ...

class UserFact(_message.Message):
    __slots__ = ("user", "revision", "attributes", "consent")
    USER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    user: int
    revision: int
    attributes: _struct_pb2.Struct
    consent: _consent_pb2.Consent
    def __init__(self, user: _Optional[int] = ..., revision: _Optional[int] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., consent: _Optional[_Union[_consent_pb2.Consent, _Mapping]] = ...) -> None: ...

class ItemVisibility(_message.Message):
    __slots__ = ("items", "listed", "available", "expires_at_us", "sequence_offsets")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_US_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedScalarFieldContainer[int]
    listed: _containers.RepeatedScalarFieldContainer[bool]
    available: _containers.RepeatedScalarFieldContainer[bool]
    expires_at_us: _containers.RepeatedScalarFieldContainer[int]
    sequence_offsets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, items: _Optional[_Iterable[int]] = ..., listed: _Optional[_Iterable[bool]] = ..., available: _Optional[_Iterable[bool]] = ..., expires_at_us: _Optional[_Iterable[int]] = ..., sequence_offsets: _Optional[_Iterable[int]] = ...) -> None: ...
