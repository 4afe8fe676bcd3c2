from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.internal.slates.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SlateOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLATE_OUTCOME_UNSPECIFIED: _ClassVar[SlateOutcome]
    SLATE_OUTCOME_ACCEPTED: _ClassVar[SlateOutcome]
    SLATE_OUTCOME_REJECTED: _ClassVar[SlateOutcome]

class SlateReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLATE_REASON_UNSPECIFIED: _ClassVar[SlateReason]
    SLATE_REASON_INVALID_ID: _ClassVar[SlateReason]
    SLATE_REASON_INVALID_SUBJECT: _ClassVar[SlateReason]
    SLATE_REASON_INVALID_POSITION: _ClassVar[SlateReason]
    SLATE_REASON_INVALID_TIME: _ClassVar[SlateReason]
    SLATE_REASON_INVALID_ITEMS: _ClassVar[SlateReason]
    SLATE_REASON_INVALID_COLUMNS: _ClassVar[SlateReason]
SLATE_OUTCOME_UNSPECIFIED: SlateOutcome
SLATE_OUTCOME_ACCEPTED: SlateOutcome
SLATE_OUTCOME_REJECTED: SlateOutcome
SLATE_REASON_UNSPECIFIED: SlateReason
SLATE_REASON_INVALID_ID: SlateReason
SLATE_REASON_INVALID_SUBJECT: SlateReason
SLATE_REASON_INVALID_POSITION: SlateReason
SLATE_REASON_INVALID_TIME: SlateReason
SLATE_REASON_INVALID_ITEMS: SlateReason
SLATE_REASON_INVALID_COLUMNS: SlateReason

class RecordSlatesRequest(_message.Message):
    __slots__ = ("tenant", "slates")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SLATES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    slates: _containers.RepeatedCompositeFieldContainer[ServedSlate]
    def __init__(self, tenant: _Optional[str] = ..., slates: _Optional[_Iterable[_Union[ServedSlate, _Mapping]]] = ...) -> None: ...

class RecordSlatesResponse(_message.Message):
    __slots__ = ("results", "position")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SlateResult]
    position: bytes
    def __init__(self, results: _Optional[_Iterable[_Union[SlateResult, _Mapping]]] = ..., position: _Optional[bytes] = ...) -> None: ...

class FindSlateRequest(_message.Message):
    __slots__ = ("tenant", "slate_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    slate_id: str
    def __init__(self, tenant: _Optional[str] = ..., slate_id: _Optional[str] = ...) -> None: ...

class FindSlateResponse(_message.Message):
    __slots__ = ("slate",)
    SLATE_FIELD_NUMBER: _ClassVar[int]
    slate: ServedSlate
    def __init__(self, slate: _Optional[_Union[ServedSlate, _Mapping]] = ...) -> None: ...

class ServedSlate(_message.Message):
    __slots__ = ("slate_id", "subject", "surface", "served_position", "generation_id", "policy", "seed", "serve_time", "item_ids", "propensities", "probabilities", "logits", "features", "exposures", "decision", "remembered")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    SERVED_POSITION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SERVE_TIME_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    PROPENSITIES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LOGITS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    EXPOSURES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REMEMBERED_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    subject: _subject_pb2.Subject
    surface: str
    served_position: bytes
    generation_id: str
    policy: str
    seed: int
    serve_time: _timestamp_pb2.Timestamp
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    propensities: bytes
    probabilities: bytes
    logits: bytes
    features: bytes
    exposures: _containers.RepeatedCompositeFieldContainer[_decision_pb2.SlateExposure]
    decision: _decision_pb2.SlateDecision
    remembered: bool
    def __init__(self, slate_id: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., surface: _Optional[str] = ..., served_position: _Optional[bytes] = ..., generation_id: _Optional[str] = ..., policy: _Optional[str] = ..., seed: _Optional[int] = ..., serve_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., item_ids: _Optional[_Iterable[str]] = ..., propensities: _Optional[bytes] = ..., probabilities: _Optional[bytes] = ..., logits: _Optional[bytes] = ..., features: _Optional[bytes] = ..., exposures: _Optional[_Iterable[_Union[_decision_pb2.SlateExposure, _Mapping]]] = ..., decision: _Optional[_Union[_decision_pb2.SlateDecision, _Mapping]] = ..., remembered: bool = ...) -> None: ...

class SlateResult(_message.Message):
    __slots__ = ("ordinal", "outcome", "reason", "detail")
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ordinal: int
    outcome: SlateOutcome
    reason: SlateReason
    detail: str
    def __init__(self, ordinal: _Optional[int] = ..., outcome: _Optional[_Union[SlateOutcome, str]] = ..., reason: _Optional[_Union[SlateReason, str]] = ..., detail: _Optional[str] = ...) -> None: ...
