from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReasonCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_CODE_UNSPECIFIED: _ClassVar[ReasonCode]
    REASON_CODE_FOLLOWS: _ClassVar[ReasonCode]
    REASON_CODE_TASTE: _ClassVar[ReasonCode]
    REASON_CODE_POPULAR: _ClassVar[ReasonCode]
    REASON_CODE_SIMILAR: _ClassVar[ReasonCode]
    REASON_CODE_LATEST: _ClassVar[ReasonCode]

class Degradation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_UNSPECIFIED: _ClassVar[Degradation]
    DEGRADATION_PROFILE_UNAVAILABLE: _ClassVar[Degradation]
    DEGRADATION_PROFILE_BEHIND: _ClassVar[Degradation]
    DEGRADATION_FEED_DISCONNECTED: _ClassVar[Degradation]
    DEGRADATION_VECTOR_OF_OTHER_GENERATION: _ClassVar[Degradation]
    DEGRADATION_SCORER_NOT_FINITE: _ClassVar[Degradation]
    DEGRADATION_GENERATION_UNUSABLE: _ClassVar[Degradation]
    DEGRADATION_SOURCE_FAILED: _ClassVar[Degradation]
REASON_CODE_UNSPECIFIED: ReasonCode
REASON_CODE_FOLLOWS: ReasonCode
REASON_CODE_TASTE: ReasonCode
REASON_CODE_POPULAR: ReasonCode
REASON_CODE_SIMILAR: ReasonCode
REASON_CODE_LATEST: ReasonCode
DEGRADATION_UNSPECIFIED: Degradation
DEGRADATION_PROFILE_UNAVAILABLE: Degradation
DEGRADATION_PROFILE_BEHIND: Degradation
DEGRADATION_FEED_DISCONNECTED: Degradation
DEGRADATION_VECTOR_OF_OTHER_GENERATION: Degradation
DEGRADATION_SCORER_NOT_FINITE: Degradation
DEGRADATION_GENERATION_UNUSABLE: Degradation
DEGRADATION_SOURCE_FAILED: Degradation

class Slot(_message.Message):
    __slots__ = ("item_id", "score", "sources", "reason", "propensity", "applied_rules", "explanation")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    APPLIED_RULES_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    score: float
    sources: _containers.RepeatedCompositeFieldContainer[SourceScore]
    reason: Reason
    propensity: float
    applied_rules: _containers.RepeatedCompositeFieldContainer[AppliedRule]
    explanation: Explanation
    def __init__(self, item_id: _Optional[str] = ..., score: _Optional[float] = ..., sources: _Optional[_Iterable[_Union[SourceScore, _Mapping]]] = ..., reason: _Optional[_Union[Reason, _Mapping]] = ..., propensity: _Optional[float] = ..., applied_rules: _Optional[_Iterable[_Union[AppliedRule, _Mapping]]] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...

class AppliedRule(_message.Message):
    __slots__ = ("rule", "effect")
    RULE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    rule: str
    effect: str
    def __init__(self, rule: _Optional[str] = ..., effect: _Optional[str] = ...) -> None: ...

class LostRule(_message.Message):
    __slots__ = ("rule", "why")
    RULE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    rule: str
    why: str
    def __init__(self, rule: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class Exposure(_message.Message):
    __slots__ = ("experiment", "variant", "revision", "layer", "not_served")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    NOT_SERVED_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    variant: str
    revision: int
    layer: str
    not_served: bool
    def __init__(self, experiment: _Optional[str] = ..., variant: _Optional[str] = ..., revision: _Optional[int] = ..., layer: _Optional[str] = ..., not_served: bool = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("contributions", "rest", "most_important_item_id", "place_without_rules", "item_id_without_rules")
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    MOST_IMPORTANT_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PLACE_WITHOUT_RULES_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_WITHOUT_RULES_FIELD_NUMBER: _ClassVar[int]
    contributions: _containers.RepeatedCompositeFieldContainer[Contribution]
    rest: float
    most_important_item_id: str
    place_without_rules: int
    item_id_without_rules: str
    def __init__(self, contributions: _Optional[_Iterable[_Union[Contribution, _Mapping]]] = ..., rest: _Optional[float] = ..., most_important_item_id: _Optional[str] = ..., place_without_rules: _Optional[int] = ..., item_id_without_rules: _Optional[str] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("feature", "value", "contribution")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    feature: str
    value: float
    contribution: float
    def __init__(self, feature: _Optional[str] = ..., value: _Optional[float] = ..., contribution: _Optional[float] = ...) -> None: ...

class SourceScore(_message.Message):
    __slots__ = ("source", "score", "rank")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    source: str
    score: float
    rank: int
    def __init__(self, source: _Optional[str] = ..., score: _Optional[float] = ..., rank: _Optional[int] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "because_item_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    BECAUSE_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    code: ReasonCode
    because_item_id: str
    def __init__(self, code: _Optional[_Union[ReasonCode, str]] = ..., because_item_id: _Optional[str] = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("categories", "excluded_categories", "allow_seen", "seen_by_any_event", "expression")
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_SEEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_BY_ANY_EVENT_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedScalarFieldContainer[str]
    excluded_categories: _containers.RepeatedScalarFieldContainer[str]
    allow_seen: bool
    seen_by_any_event: bool
    expression: str
    def __init__(self, categories: _Optional[_Iterable[str]] = ..., excluded_categories: _Optional[_Iterable[str]] = ..., allow_seen: bool = ..., seen_by_any_event: bool = ..., expression: _Optional[str] = ...) -> None: ...

class Drops(_message.Message):
    __slots__ = ("seen", "excluded", "unavailable", "category", "gate", "own", "expression", "shown")
    SEEN_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    seen: int
    excluded: int
    unavailable: int
    category: int
    gate: int
    own: int
    expression: int
    shown: int
    def __init__(self, seen: _Optional[int] = ..., excluded: _Optional[int] = ..., unavailable: _Optional[int] = ..., category: _Optional[int] = ..., gate: _Optional[int] = ..., own: _Optional[int] = ..., expression: _Optional[int] = ..., shown: _Optional[int] = ...) -> None: ...
