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
    SECTION_HEAD: _ClassVar[Section]
SECTION_UNSPECIFIED: Section
SECTION_CATALOGUE: Section
SECTION_GENERATIONS: Section
SECTION_ITEM_VECTORS: Section
SECTION_RULES: Section
SECTION_POPULARITY: Section
SECTION_USERS: Section
SECTION_HEAD: Section

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
    __slots__ = ("tenant", "item_ids", "activated", "catalogue", "item_vectors", "rules", "popularity", "learner", "context_popularity", "trends", "staged", "retired_generation_ids", "other_item_vectors", "vector_rollback", "head", "order_posterior", "encoder_factors", "users", "documents")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    ITEM_VECTORS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    POPULARITY_FIELD_NUMBER: _ClassVar[int]
    LEARNER_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_POPULARITY_FIELD_NUMBER: _ClassVar[int]
    TRENDS_FIELD_NUMBER: _ClassVar[int]
    STAGED_FIELD_NUMBER: _ClassVar[int]
    RETIRED_GENERATION_IDS_FIELD_NUMBER: _ClassVar[int]
    OTHER_ITEM_VECTORS_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ROLLBACK_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    ORDER_POSTERIOR_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FACTORS_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    activated: _generation_pb2.GenerationManifest
    catalogue: CatalogueChanges
    item_vectors: ItemVectors
    rules: RuleCells
    popularity: Popularity
    learner: LearnerState
    context_popularity: ContextPopularity
    trends: Trends
    staged: _generation_pb2.GenerationManifest
    retired_generation_ids: _containers.RepeatedScalarFieldContainer[str]
    other_item_vectors: _containers.RepeatedCompositeFieldContainer[ItemVectors]
    vector_rollback: VectorRollback
    head: ScorerHead
    order_posterior: OrderPosterior
    encoder_factors: _containers.RepeatedCompositeFieldContainer[EncoderFactor]
    users: LearnedUserVectors
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    def __init__(self, tenant: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., activated: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., catalogue: _Optional[_Union[CatalogueChanges, _Mapping]] = ..., item_vectors: _Optional[_Union[ItemVectors, _Mapping]] = ..., rules: _Optional[_Union[RuleCells, _Mapping]] = ..., popularity: _Optional[_Union[Popularity, _Mapping]] = ..., learner: _Optional[_Union[LearnerState, _Mapping]] = ..., context_popularity: _Optional[_Union[ContextPopularity, _Mapping]] = ..., trends: _Optional[_Union[Trends, _Mapping]] = ..., staged: _Optional[_Union[_generation_pb2.GenerationManifest, _Mapping]] = ..., retired_generation_ids: _Optional[_Iterable[str]] = ..., other_item_vectors: _Optional[_Iterable[_Union[ItemVectors, _Mapping]]] = ..., vector_rollback: _Optional[_Union[VectorRollback, _Mapping]] = ..., head: _Optional[_Union[ScorerHead, _Mapping]] = ..., order_posterior: _Optional[_Union[OrderPosterior, _Mapping]] = ..., encoder_factors: _Optional[_Iterable[_Union[EncoderFactor, _Mapping]]] = ..., users: _Optional[_Union[LearnedUserVectors, _Mapping]] = ..., documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ...) -> None: ...

class Document(_message.Message):
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

class EncoderFactor(_message.Message):
    __slots__ = ("generation_id", "factor")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    factor: bytes
    def __init__(self, generation_id: _Optional[str] = ..., factor: _Optional[bytes] = ...) -> None: ...

class VectorRollback(_message.Message):
    __slots__ = ("generation_id", "to_version", "reason", "count")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    to_version: int
    reason: str
    count: int
    def __init__(self, generation_id: _Optional[str] = ..., to_version: _Optional[int] = ..., reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class CatalogueChanges(_message.Message):
    __slots__ = ("items", "deleted_item_ids")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DELETED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.Item]
    deleted_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, items: _Optional[_Iterable[_Union[_item_pb2.Item, _Mapping]]] = ..., deleted_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ItemVectors(_message.Message):
    __slots__ = ("generation_id", "items", "vectors", "biases", "pinned", "learned", "steps", "unit", "step_bits")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    LEARNED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    STEP_BITS_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    items: _containers.RepeatedScalarFieldContainer[int]
    vectors: bytes
    biases: bytes
    pinned: _containers.RepeatedScalarFieldContainer[bool]
    learned: bool
    steps: bytes
    unit: float
    step_bits: int
    def __init__(self, generation_id: _Optional[str] = ..., items: _Optional[_Iterable[int]] = ..., vectors: _Optional[bytes] = ..., biases: _Optional[bytes] = ..., pinned: _Optional[_Iterable[bool]] = ..., learned: bool = ..., steps: _Optional[bytes] = ..., unit: _Optional[float] = ..., step_bits: _Optional[int] = ...) -> None: ...

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

class ContextPopularity(_message.Message):
    __slots__ = ("items", "places", "levels")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedScalarFieldContainer[int]
    places: _containers.RepeatedScalarFieldContainer[int]
    levels: bytes
    def __init__(self, items: _Optional[_Iterable[int]] = ..., places: _Optional[_Iterable[int]] = ..., levels: _Optional[bytes] = ...) -> None: ...

class Trends(_message.Message):
    __slots__ = ("items", "levels")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedScalarFieldContainer[int]
    levels: bytes
    def __init__(self, items: _Optional[_Iterable[int]] = ..., levels: _Optional[bytes] = ...) -> None: ...

class LearnedUserVectors(_message.Message):
    __slots__ = ("user_keys", "generation_id", "vectors")
    USER_KEYS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    user_keys: _containers.RepeatedScalarFieldContainer[bytes]
    generation_id: str
    vectors: bytes
    def __init__(self, user_keys: _Optional[_Iterable[bytes]] = ..., generation_id: _Optional[str] = ..., vectors: _Optional[bytes] = ...) -> None: ...

class ScorerHead(_message.Message):
    __slots__ = ("generation_id", "outcomes", "parameters", "slates", "figures", "slopes")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    SLATES_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    SLOPES_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    outcomes: _containers.RepeatedScalarFieldContainer[str]
    parameters: bytes
    slates: int
    figures: _containers.RepeatedCompositeFieldContainer[_generation_pb2.OutcomeFigures]
    slopes: bytes
    def __init__(self, generation_id: _Optional[str] = ..., outcomes: _Optional[_Iterable[str]] = ..., parameters: _Optional[bytes] = ..., slates: _Optional[int] = ..., figures: _Optional[_Iterable[_Union[_generation_pb2.OutcomeFigures, _Mapping]]] = ..., slopes: _Optional[bytes] = ...) -> None: ...

class OrderPosterior(_message.Message):
    __slots__ = ("generation_id", "precisions", "temperature")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    PRECISIONS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    precisions: bytes
    temperature: float
    def __init__(self, generation_id: _Optional[str] = ..., precisions: _Optional[bytes] = ..., temperature: _Optional[float] = ...) -> None: ...

class LearnerState(_message.Message):
    __slots__ = ("user_keys", "recent_items", "recent_weights", "recent_lengths", "pinned_users", "recent_times_us", "spaces", "recent_sequences", "hidden_users", "hidden_items", "hidden_weights", "hidden_times_us", "hidden_sequences", "influence_days", "influence_counts", "beyond_users", "beyond_first", "beyond_last", "touched_users", "touched_since_us", "events", "consent_users", "consent_sequences", "consent_decisions", "link_users", "link_sequences", "link_into_keys", "merged_events", "allowance_items", "allowance_sums", "allowance_figures", "allowance_places", "held_users", "held_sequences", "held_items", "joiner_input", "joiner", "head_training", "calibration")
    USER_KEYS_FIELD_NUMBER: _ClassVar[int]
    RECENT_ITEMS_FIELD_NUMBER: _ClassVar[int]
    RECENT_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    RECENT_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    PINNED_USERS_FIELD_NUMBER: _ClassVar[int]
    RECENT_TIMES_US_FIELD_NUMBER: _ClassVar[int]
    SPACES_FIELD_NUMBER: _ClassVar[int]
    RECENT_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_USERS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_ITEMS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_TIMES_US_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    INFLUENCE_DAYS_FIELD_NUMBER: _ClassVar[int]
    INFLUENCE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    BEYOND_USERS_FIELD_NUMBER: _ClassVar[int]
    BEYOND_FIRST_FIELD_NUMBER: _ClassVar[int]
    BEYOND_LAST_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_USERS_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_SINCE_US_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CONSENT_USERS_FIELD_NUMBER: _ClassVar[int]
    CONSENT_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    CONSENT_DECISIONS_FIELD_NUMBER: _ClassVar[int]
    LINK_USERS_FIELD_NUMBER: _ClassVar[int]
    LINK_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    LINK_INTO_KEYS_FIELD_NUMBER: _ClassVar[int]
    MERGED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    ALLOWANCE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    ALLOWANCE_SUMS_FIELD_NUMBER: _ClassVar[int]
    ALLOWANCE_FIGURES_FIELD_NUMBER: _ClassVar[int]
    ALLOWANCE_PLACES_FIELD_NUMBER: _ClassVar[int]
    HELD_USERS_FIELD_NUMBER: _ClassVar[int]
    HELD_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    HELD_ITEMS_FIELD_NUMBER: _ClassVar[int]
    JOINER_INPUT_FIELD_NUMBER: _ClassVar[int]
    JOINER_FIELD_NUMBER: _ClassVar[int]
    HEAD_TRAINING_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    user_keys: _containers.RepeatedScalarFieldContainer[bytes]
    recent_items: _containers.RepeatedScalarFieldContainer[int]
    recent_weights: bytes
    recent_lengths: _containers.RepeatedScalarFieldContainer[int]
    pinned_users: _containers.RepeatedScalarFieldContainer[int]
    recent_times_us: _containers.RepeatedScalarFieldContainer[int]
    spaces: _containers.RepeatedCompositeFieldContainer[SpaceState]
    recent_sequences: _containers.RepeatedScalarFieldContainer[int]
    hidden_users: _containers.RepeatedScalarFieldContainer[int]
    hidden_items: _containers.RepeatedScalarFieldContainer[int]
    hidden_weights: bytes
    hidden_times_us: _containers.RepeatedScalarFieldContainer[int]
    hidden_sequences: _containers.RepeatedScalarFieldContainer[int]
    influence_days: _containers.RepeatedScalarFieldContainer[int]
    influence_counts: _containers.RepeatedScalarFieldContainer[int]
    beyond_users: _containers.RepeatedScalarFieldContainer[int]
    beyond_first: _containers.RepeatedScalarFieldContainer[int]
    beyond_last: _containers.RepeatedScalarFieldContainer[int]
    touched_users: _containers.RepeatedScalarFieldContainer[int]
    touched_since_us: int
    events: int
    consent_users: _containers.RepeatedScalarFieldContainer[int]
    consent_sequences: _containers.RepeatedScalarFieldContainer[int]
    consent_decisions: _containers.RepeatedScalarFieldContainer[int]
    link_users: _containers.RepeatedScalarFieldContainer[int]
    link_sequences: _containers.RepeatedScalarFieldContainer[int]
    link_into_keys: _containers.RepeatedScalarFieldContainer[bytes]
    merged_events: _containers.RepeatedCompositeFieldContainer[MergedEvent]
    allowance_items: _containers.RepeatedScalarFieldContainer[int]
    allowance_sums: bytes
    allowance_figures: bytes
    allowance_places: bytes
    held_users: _containers.RepeatedScalarFieldContainer[int]
    held_sequences: _containers.RepeatedScalarFieldContainer[int]
    held_items: _containers.RepeatedScalarFieldContainer[int]
    joiner_input: JoinerInput
    joiner: JoinerState
    head_training: HeadTraining
    calibration: _containers.RepeatedCompositeFieldContainer[CalibrationSums]
    def __init__(self, user_keys: _Optional[_Iterable[bytes]] = ..., recent_items: _Optional[_Iterable[int]] = ..., recent_weights: _Optional[bytes] = ..., recent_lengths: _Optional[_Iterable[int]] = ..., pinned_users: _Optional[_Iterable[int]] = ..., recent_times_us: _Optional[_Iterable[int]] = ..., spaces: _Optional[_Iterable[_Union[SpaceState, _Mapping]]] = ..., recent_sequences: _Optional[_Iterable[int]] = ..., hidden_users: _Optional[_Iterable[int]] = ..., hidden_items: _Optional[_Iterable[int]] = ..., hidden_weights: _Optional[bytes] = ..., hidden_times_us: _Optional[_Iterable[int]] = ..., hidden_sequences: _Optional[_Iterable[int]] = ..., influence_days: _Optional[_Iterable[int]] = ..., influence_counts: _Optional[_Iterable[int]] = ..., beyond_users: _Optional[_Iterable[int]] = ..., beyond_first: _Optional[_Iterable[int]] = ..., beyond_last: _Optional[_Iterable[int]] = ..., touched_users: _Optional[_Iterable[int]] = ..., touched_since_us: _Optional[int] = ..., events: _Optional[int] = ..., consent_users: _Optional[_Iterable[int]] = ..., consent_sequences: _Optional[_Iterable[int]] = ..., consent_decisions: _Optional[_Iterable[int]] = ..., link_users: _Optional[_Iterable[int]] = ..., link_sequences: _Optional[_Iterable[int]] = ..., link_into_keys: _Optional[_Iterable[bytes]] = ..., merged_events: _Optional[_Iterable[_Union[MergedEvent, _Mapping]]] = ..., allowance_items: _Optional[_Iterable[int]] = ..., allowance_sums: _Optional[bytes] = ..., allowance_figures: _Optional[bytes] = ..., allowance_places: _Optional[bytes] = ..., held_users: _Optional[_Iterable[int]] = ..., held_sequences: _Optional[_Iterable[int]] = ..., held_items: _Optional[_Iterable[int]] = ..., joiner_input: _Optional[_Union[JoinerInput, _Mapping]] = ..., joiner: _Optional[_Union[JoinerState, _Mapping]] = ..., head_training: _Optional[_Union[HeadTraining, _Mapping]] = ..., calibration: _Optional[_Iterable[_Union[CalibrationSums, _Mapping]]] = ...) -> None: ...

class MergedEvent(_message.Message):
    __slots__ = ("user", "sequence", "merge_sequence")
    USER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MERGE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    user: int
    sequence: int
    merge_sequence: int
    def __init__(self, user: _Optional[int] = ..., sequence: _Optional[int] = ..., merge_sequence: _Optional[int] = ...) -> None: ...

class JoinerInput(_message.Message):
    __slots__ = ("now_us", "items")
    NOW_US_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    now_us: int
    items: _containers.RepeatedCompositeFieldContainer[JoinerItem]
    def __init__(self, now_us: _Optional[int] = ..., items: _Optional[_Iterable[_Union[JoinerItem, _Mapping]]] = ...) -> None: ...

class JoinerItem(_message.Message):
    __slots__ = ("accepted_at_us", "slate", "event", "slate_sequence", "visit")
    ACCEPTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    SLATE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SLATE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    accepted_at_us: int
    slate: bytes
    event: SlateEvent
    slate_sequence: int
    visit: Visit
    def __init__(self, accepted_at_us: _Optional[int] = ..., slate: _Optional[bytes] = ..., event: _Optional[_Union[SlateEvent, _Mapping]] = ..., slate_sequence: _Optional[int] = ..., visit: _Optional[_Union[Visit, _Mapping]] = ...) -> None: ...

class Visit(_message.Message):
    __slots__ = ("user_key", "type", "value", "time_us")
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    user_key: bytes
    type: str
    value: float
    time_us: int
    def __init__(self, user_key: _Optional[bytes] = ..., type: _Optional[str] = ..., value: _Optional[float] = ..., time_us: _Optional[int] = ...) -> None: ...

class SlateEvent(_message.Message):
    __slots__ = ("slate_id", "user_key", "item_id", "type", "value", "weight")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    user_key: bytes
    item_id: str
    type: str
    value: float
    weight: float
    def __init__(self, slate_id: _Optional[str] = ..., user_key: _Optional[bytes] = ..., item_id: _Optional[str] = ..., type: _Optional[str] = ..., value: _Optional[float] = ..., weight: _Optional[float] = ...) -> None: ...

class JoinerState(_message.Message):
    __slots__ = ("now_us", "slates", "early", "evicted_served_at_us", "logged_slates")
    NOW_US_FIELD_NUMBER: _ClassVar[int]
    SLATES_FIELD_NUMBER: _ClassVar[int]
    EARLY_FIELD_NUMBER: _ClassVar[int]
    EVICTED_SERVED_AT_US_FIELD_NUMBER: _ClassVar[int]
    LOGGED_SLATES_FIELD_NUMBER: _ClassVar[int]
    now_us: int
    slates: _containers.RepeatedCompositeFieldContainer[PendingSlate]
    early: _containers.RepeatedCompositeFieldContainer[JoinerItem]
    evicted_served_at_us: int
    logged_slates: _containers.RepeatedCompositeFieldContainer[LoggedPendingSlate]
    def __init__(self, now_us: _Optional[int] = ..., slates: _Optional[_Iterable[_Union[PendingSlate, _Mapping]]] = ..., early: _Optional[_Iterable[_Union[JoinerItem, _Mapping]]] = ..., evicted_served_at_us: _Optional[int] = ..., logged_slates: _Optional[_Iterable[_Union[LoggedPendingSlate, _Mapping]]] = ...) -> None: ...

class LoggedPendingSlate(_message.Message):
    __slots__ = ("sequence", "accepted_at_us", "outcomes", "labels", "taken", "settled", "awaited", "attributed")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    accepted_at_us: int
    outcomes: int
    labels: _containers.RepeatedScalarFieldContainer[int]
    taken: _containers.RepeatedScalarFieldContainer[int]
    settled: bool
    awaited: _containers.RepeatedCompositeFieldContainer[AwaitedReturn]
    attributed: bool
    def __init__(self, sequence: _Optional[int] = ..., accepted_at_us: _Optional[int] = ..., outcomes: _Optional[int] = ..., labels: _Optional[_Iterable[int]] = ..., taken: _Optional[_Iterable[int]] = ..., settled: bool = ..., awaited: _Optional[_Iterable[_Union[AwaitedReturn, _Mapping]]] = ..., attributed: bool = ...) -> None: ...

class AwaitedReturn(_message.Message):
    __slots__ = ("outcome", "column", "returned")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    outcome: str
    column: int
    returned: bool
    def __init__(self, outcome: _Optional[str] = ..., column: _Optional[int] = ..., returned: bool = ...) -> None: ...

class PendingSlate(_message.Message):
    __slots__ = ("slate", "accepted_at_us", "labels", "taken", "settled", "awaited", "attributed")
    SLATE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTED_FIELD_NUMBER: _ClassVar[int]
    slate: bytes
    accepted_at_us: int
    labels: bytes
    taken: bytes
    settled: bool
    awaited: _containers.RepeatedCompositeFieldContainer[AwaitedReturn]
    attributed: bool
    def __init__(self, slate: _Optional[bytes] = ..., accepted_at_us: _Optional[int] = ..., labels: _Optional[bytes] = ..., taken: _Optional[bytes] = ..., settled: bool = ..., awaited: _Optional[_Iterable[_Union[AwaitedReturn, _Mapping]]] = ..., attributed: bool = ...) -> None: ...

class HeadTraining(_message.Message):
    __slots__ = ("accumulators", "choice_temperature", "choice_figures", "choice_weights", "slope_squares", "choice_precisions")
    ACCUMULATORS_FIELD_NUMBER: _ClassVar[int]
    CHOICE_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIGURES_FIELD_NUMBER: _ClassVar[int]
    CHOICE_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    SLOPE_SQUARES_FIELD_NUMBER: _ClassVar[int]
    CHOICE_PRECISIONS_FIELD_NUMBER: _ClassVar[int]
    accumulators: bytes
    choice_temperature: float
    choice_figures: bytes
    choice_weights: bytes
    slope_squares: bytes
    choice_precisions: bytes
    def __init__(self, accumulators: _Optional[bytes] = ..., choice_temperature: _Optional[float] = ..., choice_figures: _Optional[bytes] = ..., choice_weights: _Optional[bytes] = ..., slope_squares: _Optional[bytes] = ..., choice_precisions: _Optional[bytes] = ...) -> None: ...

class CalibrationSums(_message.Message):
    __slots__ = ("surface", "outcome", "counts", "predicted", "actual")
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FIELD_NUMBER: _ClassVar[int]
    surface: str
    outcome: str
    counts: bytes
    predicted: bytes
    actual: bytes
    def __init__(self, surface: _Optional[str] = ..., outcome: _Optional[str] = ..., counts: _Optional[bytes] = ..., predicted: _Optional[bytes] = ..., actual: _Optional[bytes] = ...) -> None: ...

class SpaceState(_message.Message):
    __slots__ = ("generation_id", "base_items", "bases", "base_trained", "gramian", "factor_gramian", "reference_gramian", "reference_factor_gramian", "reference_items", "reference_vectors", "status", "published_gramian")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    BASE_TRAINED_FIELD_NUMBER: _ClassVar[int]
    GRAMIAN_FIELD_NUMBER: _ClassVar[int]
    FACTOR_GRAMIAN_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_GRAMIAN_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FACTOR_GRAMIAN_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_GRAMIAN_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    base_items: _containers.RepeatedScalarFieldContainer[int]
    bases: bytes
    base_trained: _containers.RepeatedScalarFieldContainer[bool]
    gramian: bytes
    factor_gramian: bytes
    reference_gramian: bytes
    reference_factor_gramian: bytes
    reference_items: _containers.RepeatedScalarFieldContainer[int]
    reference_vectors: bytes
    status: SpaceStatus
    published_gramian: bytes
    def __init__(self, generation_id: _Optional[str] = ..., base_items: _Optional[_Iterable[int]] = ..., bases: _Optional[bytes] = ..., base_trained: _Optional[_Iterable[bool]] = ..., gramian: _Optional[bytes] = ..., factor_gramian: _Optional[bytes] = ..., reference_gramian: _Optional[bytes] = ..., reference_factor_gramian: _Optional[bytes] = ..., reference_items: _Optional[_Iterable[int]] = ..., reference_vectors: _Optional[bytes] = ..., status: _Optional[_Union[SpaceStatus, _Mapping]] = ..., published_gramian: _Optional[bytes] = ...) -> None: ...

class SpaceStatus(_message.Message):
    __slots__ = ("state", "now", "placed", "to_place", "since_us", "reference_version", "rolling_back_since", "rolled_back", "rollbacks", "validation", "guard", "fault")
    STATE_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    PLACED_FIELD_NUMBER: _ClassVar[int]
    TO_PLACE_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROLLING_BACK_SINCE_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_FIELD_NUMBER: _ClassVar[int]
    ROLLBACKS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    GUARD_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    state: _generation_pb2.GenerationState
    now: bool
    placed: int
    to_place: int
    since_us: int
    reference_version: int
    rolling_back_since: int
    rolled_back: int
    rollbacks: int
    validation: ConfidenceSequence
    guard: ConfidenceSequence
    fault: str
    def __init__(self, state: _Optional[_Union[_generation_pb2.GenerationState, str]] = ..., now: bool = ..., placed: _Optional[int] = ..., to_place: _Optional[int] = ..., since_us: _Optional[int] = ..., reference_version: _Optional[int] = ..., rolling_back_since: _Optional[int] = ..., rolled_back: _Optional[int] = ..., rollbacks: _Optional[int] = ..., validation: _Optional[_Union[ConfidenceSequence, _Mapping]] = ..., guard: _Optional[_Union[ConfidenceSequence, _Mapping]] = ..., fault: _Optional[str] = ...) -> None: ...

class ConfidenceSequence(_message.Message):
    __slots__ = ("count", "total", "spread", "weight", "weighted", "variance")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTED_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_FIELD_NUMBER: _ClassVar[int]
    count: int
    total: float
    spread: float
    weight: float
    weighted: float
    variance: float
    def __init__(self, count: _Optional[int] = ..., total: _Optional[float] = ..., spread: _Optional[float] = ..., weight: _Optional[float] = ..., weighted: _Optional[float] = ..., variance: _Optional[float] = ...) -> None: ...
