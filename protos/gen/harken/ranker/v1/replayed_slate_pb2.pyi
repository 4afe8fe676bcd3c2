from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.ranker.v1 import slate_pb2 as _slate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplayOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPLAY_OUTCOME_UNSPECIFIED: _ClassVar[ReplayOutcome]
    REPLAY_OUTCOME_SAME: _ClassVar[ReplayOutcome]
    REPLAY_OUTCOME_DIFFERENT: _ClassVar[ReplayOutcome]
    REPLAY_OUTCOME_NOT_LOGGED: _ClassVar[ReplayOutcome]

class AbsentPart(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ABSENT_PART_UNSPECIFIED: _ClassVar[AbsentPart]
    ABSENT_PART_CANDIDATES: _ClassVar[AbsentPart]
    ABSENT_PART_RULES: _ClassVar[AbsentPart]
    ABSENT_PART_SOURCE_SCORES: _ClassVar[AbsentPart]
    ABSENT_PART_CONTRIBUTIONS: _ClassVar[AbsentPart]
    ABSENT_PART_HEAD: _ClassVar[AbsentPart]
    ABSENT_PART_REASON: _ClassVar[AbsentPart]
REPLAY_OUTCOME_UNSPECIFIED: ReplayOutcome
REPLAY_OUTCOME_SAME: ReplayOutcome
REPLAY_OUTCOME_DIFFERENT: ReplayOutcome
REPLAY_OUTCOME_NOT_LOGGED: ReplayOutcome
ABSENT_PART_UNSPECIFIED: AbsentPart
ABSENT_PART_CANDIDATES: AbsentPart
ABSENT_PART_RULES: AbsentPart
ABSENT_PART_SOURCE_SCORES: AbsentPart
ABSENT_PART_CONTRIBUTIONS: AbsentPart
ABSENT_PART_HEAD: AbsentPart
ABSENT_PART_REASON: AbsentPart

class ExplainSlateResponse(_message.Message):
    __slots__ = ("slate_id", "subject", "surface", "surface_revision", "generation_id", "policy", "seed", "serve_time", "candidates", "slots", "outcome", "absent", "experiments")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    SURFACE_REVISION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SERVE_TIME_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    subject: _subject_pb2.Subject
    surface: str
    surface_revision: int
    generation_id: str
    policy: str
    seed: int
    serve_time: _timestamp_pb2.Timestamp
    candidates: int
    slots: _containers.RepeatedCompositeFieldContainer[ReplayedSlot]
    outcome: ReplayOutcome
    absent: _containers.RepeatedScalarFieldContainer[AbsentPart]
    experiments: _containers.RepeatedCompositeFieldContainer[_slate_pb2.Exposure]
    def __init__(self, slate_id: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., surface: _Optional[str] = ..., surface_revision: _Optional[int] = ..., generation_id: _Optional[str] = ..., policy: _Optional[str] = ..., seed: _Optional[int] = ..., serve_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., candidates: _Optional[int] = ..., slots: _Optional[_Iterable[_Union[ReplayedSlot, _Mapping]]] = ..., outcome: _Optional[_Union[ReplayOutcome, str]] = ..., absent: _Optional[_Iterable[_Union[AbsentPart, str]]] = ..., experiments: _Optional[_Iterable[_Union[_slate_pb2.Exposure, _Mapping]]] = ...) -> None: ...

class ReplayedSlot(_message.Message):
    __slots__ = ("place", "item_id", "sources", "predicted", "utility", "lowered", "propensity", "replayed_item_id", "replayed_propensity", "applied_rules", "item_id_without_rules", "place_without_rules", "contributions", "rest")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    UTILITY_FIELD_NUMBER: _ClassVar[int]
    LOWERED_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    APPLIED_RULES_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_WITHOUT_RULES_FIELD_NUMBER: _ClassVar[int]
    PLACE_WITHOUT_RULES_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    place: int
    item_id: str
    sources: _containers.RepeatedCompositeFieldContainer[ReplayedSource]
    predicted: _containers.RepeatedScalarFieldContainer[float]
    utility: float
    lowered: float
    propensity: float
    replayed_item_id: str
    replayed_propensity: float
    applied_rules: _containers.RepeatedCompositeFieldContainer[_slate_pb2.AppliedRule]
    item_id_without_rules: str
    place_without_rules: int
    contributions: _containers.RepeatedCompositeFieldContainer[_slate_pb2.Contribution]
    rest: float
    def __init__(self, place: _Optional[int] = ..., item_id: _Optional[str] = ..., sources: _Optional[_Iterable[_Union[ReplayedSource, _Mapping]]] = ..., predicted: _Optional[_Iterable[float]] = ..., utility: _Optional[float] = ..., lowered: _Optional[float] = ..., propensity: _Optional[float] = ..., replayed_item_id: _Optional[str] = ..., replayed_propensity: _Optional[float] = ..., applied_rules: _Optional[_Iterable[_Union[_slate_pb2.AppliedRule, _Mapping]]] = ..., item_id_without_rules: _Optional[str] = ..., place_without_rules: _Optional[int] = ..., contributions: _Optional[_Iterable[_Union[_slate_pb2.Contribution, _Mapping]]] = ..., rest: _Optional[float] = ...) -> None: ...

class ReplayedSource(_message.Message):
    __slots__ = ("source", "rank")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    source: str
    rank: int
    def __init__(self, source: _Optional[str] = ..., rank: _Optional[int] = ...) -> None: ...
