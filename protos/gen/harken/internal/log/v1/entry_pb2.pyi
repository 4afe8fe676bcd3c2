from google.protobuf import struct_pb2 as _struct_pb2
from harken.common.v1 import consent_pb2 as _consent_pb2
from harken.feedback.v1 import generation_pb2 as _generation_pb2
from harken.feedback.v1 import item_pb2 as _item_pb2
from harken.internal.slates.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Entry(_message.Message):
    __slots__ = ("event", "item_upserted", "item_deleted", "embedding", "user_fact", "generation_activated", "tick", "generation_staged", "generation_retired", "slate", "event_retracted", "document", "user_erased", "users_merged", "users_unmerged")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ITEM_UPSERTED_FIELD_NUMBER: _ClassVar[int]
    ITEM_DELETED_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    USER_FACT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    GENERATION_STAGED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_RETIRED_FIELD_NUMBER: _ClassVar[int]
    SLATE_FIELD_NUMBER: _ClassVar[int]
    EVENT_RETRACTED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    USER_ERASED_FIELD_NUMBER: _ClassVar[int]
    USERS_MERGED_FIELD_NUMBER: _ClassVar[int]
    USERS_UNMERGED_FIELD_NUMBER: _ClassVar[int]
    event: LoggedEvent
    item_upserted: _item_pb2.Item
    item_deleted: str
    embedding: LoggedEmbedding
    user_fact: LoggedUserFact
    generation_activated: _generation_pb2.GenerationManifest
    tick: Tick
    generation_staged: GenerationStaged
    generation_retired: GenerationRetired
    slate: LoggedSlate
    event_retracted: LoggedRetraction
    document: LoggedDocument
    user_erased: UserErased
    users_merged: LoggedUserLink
    users_unmerged: LoggedUserLink
    def __init__(self, event: _Optional[_Union[LoggedEvent, _Mapping]] = ..., item_upserted: _Optional[_Union[_item_pb2.Item, _Mapping]] = ..., item_deleted: _Optional[str] = ..., embedding: _Optional[_Union[LoggedEmbedding, _Mapping]] = ..., user_fact: _Optional[_Union[LoggedUserFact, _Mapping]] = ..., generation_activated: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., tick: _Optional[_Union[Tick, _Mapping]] = ..., generation_staged: _Optional[_Union[GenerationStaged, _Mapping]] = ..., generation_retired: _Optional[_Union[GenerationRetired, _Mapping]] = ..., slate: _Optional[_Union[LoggedSlate, _Mapping]] = ..., event_retracted: _Optional[_Union[LoggedRetraction, _Mapping]] = ..., document: _Optional[_Union[LoggedDocument, _Mapping]] = ..., user_erased: _Optional[_Union[UserErased, _Mapping]] = ..., users_merged: _Optional[_Union[LoggedUserLink, _Mapping]] = ..., users_unmerged: _Optional[_Union[LoggedUserLink, _Mapping]] = ...) -> None: ...

class LoggedEvent(_message.Message):
    __slots__ = ("event_id", "user_key", "item_id", "type", "value", "event_time_us", "slate_id", "context", "weight", "sealed_context")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_US_FIELD_NUMBER: _ClassVar[int]
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SEALED_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    user_key: bytes
    item_id: str
    type: str
    value: float
    event_time_us: int
    slate_id: str
    context: _containers.ScalarMap[str, str]
    weight: float
    sealed_context: bytes
    def __init__(self, event_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., item_id: _Optional[str] = ..., type: _Optional[str] = ..., value: _Optional[float] = ..., event_time_us: _Optional[int] = ..., slate_id: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ..., weight: _Optional[float] = ..., sealed_context: _Optional[bytes] = ...) -> None: ...

class LoggedEmbedding(_message.Message):
    __slots__ = ("item_id", "user_key", "vector", "bias", "pinned", "generation_id")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    BIAS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    user_key: bytes
    vector: bytes
    bias: float
    pinned: bool
    generation_id: str
    def __init__(self, item_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., vector: _Optional[bytes] = ..., bias: _Optional[float] = ..., pinned: bool = ..., generation_id: _Optional[str] = ...) -> None: ...

class LoggedUserFact(_message.Message):
    __slots__ = ("user_key", "revision", "attributes", "sealed_attributes", "consent")
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SEALED_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    user_key: bytes
    revision: int
    attributes: _struct_pb2.Struct
    sealed_attributes: bytes
    consent: _consent_pb2.Consent
    def __init__(self, user_key: _Optional[bytes] = ..., revision: _Optional[int] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., sealed_attributes: _Optional[bytes] = ..., consent: _Optional[_Union[_consent_pb2.Consent, _Mapping]] = ...) -> None: ...

class LoggedUserLink(_message.Message):
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

class UserErased(_message.Message):
    __slots__ = ("erasure_id", "user_key", "tombstone", "erased_at_us", "unlearn", "event_sequences")
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_US_FIELD_NUMBER: _ClassVar[int]
    UNLEARN_FIELD_NUMBER: _ClassVar[int]
    EVENT_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    erasure_id: str
    user_key: bytes
    tombstone: bytes
    erased_at_us: int
    unlearn: bool
    event_sequences: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, erasure_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., tombstone: _Optional[bytes] = ..., erased_at_us: _Optional[int] = ..., unlearn: bool = ..., event_sequences: _Optional[_Iterable[int]] = ...) -> None: ...

class Tick(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LoggedSlate(_message.Message):
    __slots__ = ("slate_id", "user_key", "surface", "served_sequence", "generation_id", "policy", "seed", "served_at_us", "item_ids", "propensities", "probabilities", "logits", "features", "exposures", "decision", "remembered_slates")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    SERVED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SERVED_AT_US_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    PROPENSITIES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LOGITS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    EXPOSURES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REMEMBERED_SLATES_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    user_key: bytes
    surface: str
    served_sequence: int
    generation_id: str
    policy: str
    seed: int
    served_at_us: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    propensities: bytes
    probabilities: bytes
    logits: bytes
    features: bytes
    exposures: _containers.RepeatedCompositeFieldContainer[_decision_pb2.SlateExposure]
    decision: _decision_pb2.SlateDecision
    remembered_slates: int
    def __init__(self, slate_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., surface: _Optional[str] = ..., served_sequence: _Optional[int] = ..., generation_id: _Optional[str] = ..., policy: _Optional[str] = ..., seed: _Optional[int] = ..., served_at_us: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., propensities: _Optional[bytes] = ..., probabilities: _Optional[bytes] = ..., logits: _Optional[bytes] = ..., features: _Optional[bytes] = ..., exposures: _Optional[_Iterable[_Union[_decision_pb2.SlateExposure, _Mapping]]] = ..., decision: _Optional[_Union[_decision_pb2.SlateDecision, _Mapping]] = ..., remembered_slates: _Optional[int] = ...) -> None: ...

class LoggedRetraction(_message.Message):
    __slots__ = ("event", "event_sequence", "event_accepted_at_us")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_ACCEPTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    event: LoggedEvent
    event_sequence: int
    event_accepted_at_us: int
    def __init__(self, event: _Optional[_Union[LoggedEvent, _Mapping]] = ..., event_sequence: _Optional[int] = ..., event_accepted_at_us: _Optional[int] = ...) -> None: ...

class GenerationStaged(_message.Message):
    __slots__ = ("manifest", "now")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    manifest: _generation_pb2.GenerationManifest
    now: bool
    def __init__(self, manifest: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., now: bool = ...) -> None: ...

class GenerationRetired(_message.Message):
    __slots__ = ("generation_id", "reason")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    reason: str
    def __init__(self, generation_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class LoggedDocument(_message.Message):
    __slots__ = ("kind", "name", "revision", "body")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    revision: int
    body: bytes
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., revision: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...
