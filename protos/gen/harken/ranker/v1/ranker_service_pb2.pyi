from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.feedback.v1 import generation_pb2 as _generation_pb2
from harken.ranker.v1 import replayed_slate_pb2 as _replayed_slate_pb2
from harken.ranker.v1 import slate_pb2 as _slate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecommendRequest(_message.Message):
    __slots__ = ("tenant", "subject", "surface", "count", "filter", "excluded_item_ids", "min_position", "wait_budget", "strict", "preview", "as_of", "min_learned_position", "context", "non_personal", "own_items_of", "candidates", "page_token", "explain", "seed")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    MIN_LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    NON_PERSONAL_FIELD_NUMBER: _ClassVar[int]
    OWN_ITEMS_OF_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: _subject_pb2.Subject
    surface: str
    count: int
    filter: _slate_pb2.Filter
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    min_position: bytes
    wait_budget: _duration_pb2.Duration
    strict: bool
    preview: bool
    as_of: _timestamp_pb2.Timestamp
    min_learned_position: bytes
    context: Context
    non_personal: bool
    own_items_of: str
    candidates: _containers.RepeatedCompositeFieldContainer[GivenCandidate]
    page_token: str
    explain: bool
    seed: int
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., surface: _Optional[str] = ..., count: _Optional[int] = ..., filter: _Optional[_Union[_slate_pb2.Filter, _Mapping]] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., min_position: _Optional[bytes] = ..., wait_budget: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., strict: bool = ..., preview: bool = ..., as_of: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., min_learned_position: _Optional[bytes] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., non_personal: bool = ..., own_items_of: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[GivenCandidate, _Mapping]]] = ..., page_token: _Optional[str] = ..., explain: bool = ..., seed: _Optional[int] = ...) -> None: ...

class Context(_message.Message):
    __slots__ = ("values", "onboarding_item_ids", "query_item_id")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ONBOARDING_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    QUERY_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    values: _containers.ScalarMap[str, str]
    onboarding_item_ids: _containers.RepeatedScalarFieldContainer[str]
    query_item_id: str
    def __init__(self, values: _Optional[_Mapping[str, str]] = ..., onboarding_item_ids: _Optional[_Iterable[str]] = ..., query_item_id: _Optional[str] = ...) -> None: ...

class GivenCandidate(_message.Message):
    __slots__ = ("item_id", "prior")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    prior: float
    def __init__(self, item_id: _Optional[str] = ..., prior: _Optional[float] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("slate_id", "slots", "position", "generation_id", "policy", "stale", "degradations", "drops", "unknown_subject", "unknown_categories", "learned_position", "surface_revision", "lost_rules", "seed", "next_page_token", "failed_sources", "experiments", "non_personal", "unexplored")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_SUBJECT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    SURFACE_REVISION_FIELD_NUMBER: _ClassVar[int]
    LOST_RULES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FAILED_SOURCES_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    NON_PERSONAL_FIELD_NUMBER: _ClassVar[int]
    UNEXPLORED_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    slots: _containers.RepeatedCompositeFieldContainer[_slate_pb2.Slot]
    position: bytes
    generation_id: str
    policy: str
    stale: bool
    degradations: _containers.RepeatedScalarFieldContainer[_slate_pb2.Degradation]
    drops: _slate_pb2.Drops
    unknown_subject: bool
    unknown_categories: _containers.RepeatedScalarFieldContainer[str]
    learned_position: bytes
    surface_revision: int
    lost_rules: _containers.RepeatedCompositeFieldContainer[_slate_pb2.LostRule]
    seed: int
    next_page_token: str
    failed_sources: _containers.RepeatedScalarFieldContainer[str]
    experiments: _containers.RepeatedCompositeFieldContainer[_slate_pb2.Exposure]
    non_personal: bool
    unexplored: bool
    def __init__(self, slate_id: _Optional[str] = ..., slots: _Optional[_Iterable[_Union[_slate_pb2.Slot, _Mapping]]] = ..., position: _Optional[bytes] = ..., generation_id: _Optional[str] = ..., policy: _Optional[str] = ..., stale: bool = ..., degradations: _Optional[_Iterable[_Union[_slate_pb2.Degradation, str]]] = ..., drops: _Optional[_Union[_slate_pb2.Drops, _Mapping]] = ..., unknown_subject: bool = ..., unknown_categories: _Optional[_Iterable[str]] = ..., learned_position: _Optional[bytes] = ..., surface_revision: _Optional[int] = ..., lost_rules: _Optional[_Iterable[_Union[_slate_pb2.LostRule, _Mapping]]] = ..., seed: _Optional[int] = ..., next_page_token: _Optional[str] = ..., failed_sources: _Optional[_Iterable[str]] = ..., experiments: _Optional[_Iterable[_Union[_slate_pb2.Exposure, _Mapping]]] = ..., non_personal: bool = ..., unexplored: bool = ...) -> None: ...

class RankRequest(_message.Message):
    __slots__ = ("tenant", "subject", "item_ids", "min_position", "wait_budget", "strict", "surface", "count", "filter", "min_learned_position")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MIN_LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: _subject_pb2.Subject
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    min_position: bytes
    wait_budget: _duration_pb2.Duration
    strict: bool
    surface: str
    count: int
    filter: _slate_pb2.Filter
    min_learned_position: bytes
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., item_ids: _Optional[_Iterable[str]] = ..., min_position: _Optional[bytes] = ..., wait_budget: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., strict: bool = ..., surface: _Optional[str] = ..., count: _Optional[int] = ..., filter: _Optional[_Union[_slate_pb2.Filter, _Mapping]] = ..., min_learned_position: _Optional[bytes] = ...) -> None: ...

class RankResponse(_message.Message):
    __slots__ = ("slots", "unranked_item_ids", "position", "generation_id", "stale", "degradations", "learned_position", "non_personal")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    UNRANKED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    NON_PERSONAL_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[_slate_pb2.Slot]
    unranked_item_ids: _containers.RepeatedScalarFieldContainer[str]
    position: bytes
    generation_id: str
    stale: bool
    degradations: _containers.RepeatedScalarFieldContainer[_slate_pb2.Degradation]
    learned_position: bytes
    non_personal: bool
    def __init__(self, slots: _Optional[_Iterable[_Union[_slate_pb2.Slot, _Mapping]]] = ..., unranked_item_ids: _Optional[_Iterable[str]] = ..., position: _Optional[bytes] = ..., generation_id: _Optional[str] = ..., stale: bool = ..., degradations: _Optional[_Iterable[_Union[_slate_pb2.Degradation, str]]] = ..., learned_position: _Optional[bytes] = ..., non_personal: bool = ...) -> None: ...

class SimilarItemsRequest(_message.Message):
    __slots__ = ("tenant", "item_id", "count", "filter", "min_learned_position", "wait_budget", "strict")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MIN_LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    item_id: str
    count: int
    filter: _slate_pb2.Filter
    min_learned_position: bytes
    wait_budget: _duration_pb2.Duration
    strict: bool
    def __init__(self, tenant: _Optional[str] = ..., item_id: _Optional[str] = ..., count: _Optional[int] = ..., filter: _Optional[_Union[_slate_pb2.Filter, _Mapping]] = ..., min_learned_position: _Optional[bytes] = ..., wait_budget: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., strict: bool = ...) -> None: ...

class SimilarItemsResponse(_message.Message):
    __slots__ = ("items", "position", "generation_id", "unknown_categories", "learned_position", "stale")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SimilarItem]
    position: bytes
    generation_id: str
    unknown_categories: _containers.RepeatedScalarFieldContainer[str]
    learned_position: bytes
    stale: bool
    def __init__(self, items: _Optional[_Iterable[_Union[SimilarItem, _Mapping]]] = ..., position: _Optional[bytes] = ..., generation_id: _Optional[str] = ..., unknown_categories: _Optional[_Iterable[str]] = ..., learned_position: _Optional[bytes] = ..., stale: bool = ...) -> None: ...

class SimilarItem(_message.Message):
    __slots__ = ("item_id", "cosine")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    cosine: float
    def __init__(self, item_id: _Optional[str] = ..., cosine: _Optional[float] = ...) -> None: ...

class ListTrendingRequest(_message.Message):
    __slots__ = ("tenant", "surface", "count", "filter", "excluded_item_ids", "context", "page_token", "min_learned_position", "wait_budget", "strict")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MIN_LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    surface: str
    count: int
    filter: _slate_pb2.Filter
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    context: Context
    page_token: str
    min_learned_position: bytes
    wait_budget: _duration_pb2.Duration
    strict: bool
    def __init__(self, tenant: _Optional[str] = ..., surface: _Optional[str] = ..., count: _Optional[int] = ..., filter: _Optional[_Union[_slate_pb2.Filter, _Mapping]] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., page_token: _Optional[str] = ..., min_learned_position: _Optional[bytes] = ..., wait_budget: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., strict: bool = ...) -> None: ...

class ListTrendingResponse(_message.Message):
    __slots__ = ("slots", "position", "learned_position", "stale", "drops", "unknown_categories", "surface_revision", "lost_rules", "next_page_token", "degradations")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    SURFACE_REVISION_FIELD_NUMBER: _ClassVar[int]
    LOST_RULES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[_slate_pb2.Slot]
    position: bytes
    learned_position: bytes
    stale: bool
    drops: _slate_pb2.Drops
    unknown_categories: _containers.RepeatedScalarFieldContainer[str]
    surface_revision: int
    lost_rules: _containers.RepeatedCompositeFieldContainer[_slate_pb2.LostRule]
    next_page_token: str
    degradations: _containers.RepeatedScalarFieldContainer[_slate_pb2.Degradation]
    def __init__(self, slots: _Optional[_Iterable[_Union[_slate_pb2.Slot, _Mapping]]] = ..., position: _Optional[bytes] = ..., learned_position: _Optional[bytes] = ..., stale: bool = ..., drops: _Optional[_Union[_slate_pb2.Drops, _Mapping]] = ..., unknown_categories: _Optional[_Iterable[str]] = ..., surface_revision: _Optional[int] = ..., lost_rules: _Optional[_Iterable[_Union[_slate_pb2.LostRule, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., degradations: _Optional[_Iterable[_Union[_slate_pb2.Degradation, str]]] = ...) -> None: ...

class ListLatestRequest(_message.Message):
    __slots__ = ("tenant", "surface", "count", "filter", "excluded_item_ids", "context", "page_token", "min_learned_position", "wait_budget", "strict")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MIN_LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    surface: str
    count: int
    filter: _slate_pb2.Filter
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    context: Context
    page_token: str
    min_learned_position: bytes
    wait_budget: _duration_pb2.Duration
    strict: bool
    def __init__(self, tenant: _Optional[str] = ..., surface: _Optional[str] = ..., count: _Optional[int] = ..., filter: _Optional[_Union[_slate_pb2.Filter, _Mapping]] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., page_token: _Optional[str] = ..., min_learned_position: _Optional[bytes] = ..., wait_budget: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., strict: bool = ...) -> None: ...

class ListLatestResponse(_message.Message):
    __slots__ = ("slots", "position", "learned_position", "stale", "drops", "unknown_categories", "surface_revision", "lost_rules", "next_page_token", "degradations")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    SURFACE_REVISION_FIELD_NUMBER: _ClassVar[int]
    LOST_RULES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[_slate_pb2.Slot]
    position: bytes
    learned_position: bytes
    stale: bool
    drops: _slate_pb2.Drops
    unknown_categories: _containers.RepeatedScalarFieldContainer[str]
    surface_revision: int
    lost_rules: _containers.RepeatedCompositeFieldContainer[_slate_pb2.LostRule]
    next_page_token: str
    degradations: _containers.RepeatedScalarFieldContainer[_slate_pb2.Degradation]
    def __init__(self, slots: _Optional[_Iterable[_Union[_slate_pb2.Slot, _Mapping]]] = ..., position: _Optional[bytes] = ..., learned_position: _Optional[bytes] = ..., stale: bool = ..., drops: _Optional[_Union[_slate_pb2.Drops, _Mapping]] = ..., unknown_categories: _Optional[_Iterable[str]] = ..., surface_revision: _Optional[int] = ..., lost_rules: _Optional[_Iterable[_Union[_slate_pb2.LostRule, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., degradations: _Optional[_Iterable[_Union[_slate_pb2.Degradation, str]]] = ...) -> None: ...

class BatchRecommendRequest(_message.Message):
    __slots__ = ("tenant", "subjects", "request")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subjects: _containers.RepeatedCompositeFieldContainer[_subject_pb2.Subject]
    request: RecommendRequest
    def __init__(self, tenant: _Optional[str] = ..., subjects: _Optional[_Iterable[_Union[_subject_pb2.Subject, _Mapping]]] = ..., request: _Optional[_Union[RecommendRequest, _Mapping]] = ...) -> None: ...

class BatchRecommendResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SubjectSlate]
    def __init__(self, results: _Optional[_Iterable[_Union[SubjectSlate, _Mapping]]] = ...) -> None: ...

class SubjectSlate(_message.Message):
    __slots__ = ("ordinal", "slate", "fault")
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    SLATE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    ordinal: int
    slate: RecommendResponse
    fault: SubjectFault
    def __init__(self, ordinal: _Optional[int] = ..., slate: _Optional[_Union[RecommendResponse, _Mapping]] = ..., fault: _Optional[_Union[SubjectFault, _Mapping]] = ...) -> None: ...

class SubjectFault(_message.Message):
    __slots__ = ("reason", "detail")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    reason: str
    detail: str
    def __init__(self, reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class ExplainSlateRequest(_message.Message):
    __slots__ = ("tenant", "slate_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    slate_id: str
    def __init__(self, tenant: _Optional[str] = ..., slate_id: _Optional[str] = ...) -> None: ...

class GetServingStateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServingStateResponse(_message.Message):
    __slots__ = ("ready", "connected", "epoch", "version", "head_version", "position", "tenants", "learned_position", "head_sequence", "entries_lag")
    READY_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HEAD_VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    HEAD_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_LAG_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    connected: bool
    epoch: int
    version: int
    head_version: int
    position: bytes
    tenants: _containers.RepeatedCompositeFieldContainer[TenantState]
    learned_position: bytes
    head_sequence: int
    entries_lag: int
    def __init__(self, ready: bool = ..., connected: bool = ..., epoch: _Optional[int] = ..., version: _Optional[int] = ..., head_version: _Optional[int] = ..., position: _Optional[bytes] = ..., tenants: _Optional[_Iterable[_Union[TenantState, _Mapping]]] = ..., learned_position: _Optional[bytes] = ..., head_sequence: _Optional[int] = ..., entries_lag: _Optional[int] = ...) -> None: ...

class TenantState(_message.Message):
    __slots__ = ("tenant", "generation_id", "items", "vectors", "cached_users", "digest", "other_generation_id", "vector_rollbacks", "head_slates", "outcomes")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    CACHED_USERS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OTHER_GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ROLLBACKS_FIELD_NUMBER: _ClassVar[int]
    HEAD_SLATES_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    generation_id: str
    items: int
    vectors: int
    cached_users: int
    digest: bytes
    other_generation_id: str
    vector_rollbacks: int
    head_slates: int
    outcomes: _containers.RepeatedCompositeFieldContainer[_generation_pb2.OutcomeFigures]
    def __init__(self, tenant: _Optional[str] = ..., generation_id: _Optional[str] = ..., items: _Optional[int] = ..., vectors: _Optional[int] = ..., cached_users: _Optional[int] = ..., digest: _Optional[bytes] = ..., other_generation_id: _Optional[str] = ..., vector_rollbacks: _Optional[int] = ..., head_slates: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[_generation_pb2.OutcomeFigures, _Mapping]]] = ...) -> None: ...
