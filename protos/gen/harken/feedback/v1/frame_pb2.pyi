from harken.feedback.v1 import generation_pb2 as _generation_pb2
from harken.feedback.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Section(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SECTION_UNSPECIFIED: _ClassVar[Section]
    SECTION_CATALOGUE: _ClassVar[Section]
    SECTION_GENERATIONS: _ClassVar[Section]
    SECTION_ITEM_VECTORS: _ClassVar[Section]
    SECTION_RULES: _ClassVar[Section]
    SECTION_POPULARITY: _ClassVar[Section]
    SECTION_USERS: _ClassVar[Section]
SECTION_UNSPECIFIED: Section
SECTION_CATALOGUE: Section
SECTION_GENERATIONS: Section
SECTION_ITEM_VECTORS: Section
SECTION_RULES: Section
SECTION_POPULARITY: Section
SECTION_USERS: Section

class Frame(_message.Message):
    __slots__ = ("shard", "epoch", "after_version", "version", "through_sequence", "accepted_at_us", "tenants")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    shard: int
    epoch: int
    after_version: int
    version: int
    through_sequence: int
    accepted_at_us: int
    tenants: _containers.RepeatedCompositeFieldContainer[TenantChanges]
    def __init__(self, shard: _Optional[int] = ..., epoch: _Optional[int] = ..., after_version: _Optional[int] = ..., version: _Optional[int] = ..., through_sequence: _Optional[int] = ..., accepted_at_us: _Optional[int] = ..., tenants: _Optional[_Iterable[_Union[TenantChanges, _Mapping]]] = ...) -> None: ...

class TenantChanges(_message.Message):
    __slots__ = ("tenant", "item_ids", "activated", "catalogue", "item_vectors", "rules", "popularity", "users", "learner")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    ITEM_VECTORS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    POPULARITY_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    LEARNER_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    activated: _generation_pb2.GenerationManifest
    catalogue: CatalogueChanges
    item_vectors: ItemVectors
    rules: RuleCells
    popularity: Popularity
    users: UserDeltas
    learner: LearnerState
    def __init__(self, tenant: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., activated: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., catalogue: _Optional[_Union[CatalogueChanges, _Mapping]] = ..., item_vectors: _Optional[_Union[ItemVectors, _Mapping]] = ..., rules: _Optional[_Union[RuleCells, _Mapping]] = ..., popularity: _Optional[_Union[Popularity, _Mapping]] = ..., users: _Optional[_Union[UserDeltas, _Mapping]] = ..., learner: _Optional[_Union[LearnerState, _Mapping]] = ...) -> None: ...

class CatalogueChanges(_message.Message):
    __slots__ = ("items", "deleted_item_ids")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DELETED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.Item]
    deleted_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, items: _Optional[_Iterable[_Union[_item_pb2.Item, _Mapping]]] = ..., deleted_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ItemVectors(_message.Message):
    __slots__ = ("generation_id", "items", "vectors", "biases", "pinned")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    items: _containers.RepeatedScalarFieldContainer[int]
    vectors: bytes
    biases: bytes
    pinned: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, generation_id: _Optional[str] = ..., items: _Optional[_Iterable[int]] = ..., vectors: _Optional[bytes] = ..., biases: _Optional[bytes] = ..., pinned: _Optional[_Iterable[bool]] = ...) -> None: ...

class RuleCells(_message.Message):
    __slots__ = ("sources", "slots", "targets", "weights")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedScalarFieldContainer[int]
    slots: _containers.RepeatedScalarFieldContainer[int]
    targets: _containers.RepeatedScalarFieldContainer[int]
    weights: bytes
    def __init__(self, sources: _Optional[_Iterable[int]] = ..., slots: _Optional[_Iterable[int]] = ..., targets: _Optional[_Iterable[int]] = ..., weights: _Optional[bytes] = ...) -> None: ...

class Popularity(_message.Message):
    __slots__ = ("items", "levels", "counts")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedScalarFieldContainer[int]
    levels: bytes
    counts: bytes
    def __init__(self, items: _Optional[_Iterable[int]] = ..., levels: _Optional[bytes] = ..., counts: _Optional[bytes] = ...) -> None: ...

class UserDeltas(_message.Message):
    __slots__ = ("user_keys", "types", "event_users", "event_items", "event_types", "event_values", "event_times_us", "event_sequences", "event_weights", "generation_id", "vector_users", "vectors", "pinned")
    USER_KEYS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    EVENT_USERS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ITEMS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    EVENT_VALUES_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIMES_US_FIELD_NUMBER: _ClassVar[int]
    EVENT_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    EVENT_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    VECTOR_USERS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    user_keys: _containers.RepeatedScalarFieldContainer[bytes]
    types: _containers.RepeatedScalarFieldContainer[str]
    event_users: _containers.RepeatedScalarFieldContainer[int]
    event_items: _containers.RepeatedScalarFieldContainer[int]
    event_types: _containers.RepeatedScalarFieldContainer[int]
    event_values: bytes
    event_times_us: _containers.RepeatedScalarFieldContainer[int]
    event_sequences: _containers.RepeatedScalarFieldContainer[int]
    event_weights: bytes
    generation_id: str
    vector_users: _containers.RepeatedScalarFieldContainer[int]
    vectors: bytes
    pinned: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, user_keys: _Optional[_Iterable[bytes]] = ..., types: _Optional[_Iterable[str]] = ..., event_users: _Optional[_Iterable[int]] = ..., event_items: _Optional[_Iterable[int]] = ..., event_types: _Optional[_Iterable[int]] = ..., event_values: _Optional[bytes] = ..., event_times_us: _Optional[_Iterable[int]] = ..., event_sequences: _Optional[_Iterable[int]] = ..., event_weights: _Optional[bytes] = ..., generation_id: _Optional[str] = ..., vector_users: _Optional[_Iterable[int]] = ..., vectors: _Optional[bytes] = ..., pinned: _Optional[_Iterable[bool]] = ...) -> None: ...

class LearnerState(_message.Message):
    __slots__ = ("user_keys", "recent_items", "recent_weights", "recent_lengths", "gramian", "pinned_users", "base_items", "bases", "recent_times_us", "factor_gramian")
    USER_KEYS_FIELD_NUMBER: _ClassVar[int]
    RECENT_ITEMS_FIELD_NUMBER: _ClassVar[int]
    RECENT_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    RECENT_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    GRAMIAN_FIELD_NUMBER: _ClassVar[int]
    PINNED_USERS_FIELD_NUMBER: _ClassVar[int]
    BASE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    RECENT_TIMES_US_FIELD_NUMBER: _ClassVar[int]
    FACTOR_GRAMIAN_FIELD_NUMBER: _ClassVar[int]
    user_keys: _containers.RepeatedScalarFieldContainer[bytes]
    recent_items: _containers.RepeatedScalarFieldContainer[int]
    recent_weights: bytes
    recent_lengths: _containers.RepeatedScalarFieldContainer[int]
    gramian: bytes
    pinned_users: _containers.RepeatedScalarFieldContainer[int]
    base_items: _containers.RepeatedScalarFieldContainer[int]
    bases: bytes
    recent_times_us: _containers.RepeatedScalarFieldContainer[int]
    factor_gramian: bytes
    def __init__(self, user_keys: _Optional[_Iterable[bytes]] = ..., recent_items: _Optional[_Iterable[int]] = ..., recent_weights: _Optional[bytes] = ..., recent_lengths: _Optional[_Iterable[int]] = ..., gramian: _Optional[bytes] = ..., pinned_users: _Optional[_Iterable[int]] = ..., base_items: _Optional[_Iterable[int]] = ..., bases: _Optional[bytes] = ..., recent_times_us: _Optional[_Iterable[int]] = ..., factor_gramian: _Optional[bytes] = ...) -> None: ...
