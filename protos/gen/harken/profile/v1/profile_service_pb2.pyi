from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from harken.common.v1 import subject_pb2 as _subject_pb2
from harken.profile.v1 import attribute_schema_pb2 as _attribute_schema_pb2
from harken.profile.v1 import erasure_pb2 as _erasure_pb2
from harken.profile.v1 import profile_pb2 as _profile_pb2
from harken.profile.v1 import user_export_pb2 as _user_export_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetProfileRequest(_message.Message):
    __slots__ = ("tenant", "subject", "min_position", "wait_budget", "strict", "include_seen", "seen_by_type", "read_mask")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_BY_TYPE_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: _subject_pb2.Subject
    min_position: bytes
    wait_budget: _duration_pb2.Duration
    strict: bool
    include_seen: bool
    seen_by_type: bool
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., min_position: _Optional[bytes] = ..., wait_budget: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., strict: bool = ..., include_seen: bool = ..., seen_by_type: bool = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetProfileResponse(_message.Message):
    __slots__ = ("profile", "position", "stale", "learned_position")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    profile: _profile_pb2.Profile
    position: bytes
    stale: bool
    learned_position: bytes
    def __init__(self, profile: _Optional[_Union[_profile_pb2.Profile, _Mapping]] = ..., position: _Optional[bytes] = ..., stale: bool = ..., learned_position: _Optional[bytes] = ...) -> None: ...

class BatchGetProfilesRequest(_message.Message):
    __slots__ = ("tenant", "subjects", "min_position", "wait_budget", "strict", "include_seen", "seen_by_type", "max_answer_bytes")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_BY_TYPE_FIELD_NUMBER: _ClassVar[int]
    MAX_ANSWER_BYTES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subjects: _containers.RepeatedCompositeFieldContainer[_subject_pb2.Subject]
    min_position: bytes
    wait_budget: _duration_pb2.Duration
    strict: bool
    include_seen: bool
    seen_by_type: bool
    max_answer_bytes: int
    def __init__(self, tenant: _Optional[str] = ..., subjects: _Optional[_Iterable[_Union[_subject_pb2.Subject, _Mapping]]] = ..., min_position: _Optional[bytes] = ..., wait_budget: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., strict: bool = ..., include_seen: bool = ..., seen_by_type: bool = ..., max_answer_bytes: _Optional[int] = ...) -> None: ...

class BatchGetProfilesResponse(_message.Message):
    __slots__ = ("results", "position", "stale", "learned_position")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    LEARNED_POSITION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ProfileResult]
    position: bytes
    stale: bool
    learned_position: bytes
    def __init__(self, results: _Optional[_Iterable[_Union[ProfileResult, _Mapping]]] = ..., position: _Optional[bytes] = ..., stale: bool = ..., learned_position: _Optional[bytes] = ...) -> None: ...

class ProfileResult(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: _profile_pb2.Profile
    def __init__(self, profile: _Optional[_Union[_profile_pb2.Profile, _Mapping]] = ...) -> None: ...

class UpdateProfileRequest(_message.Message):
    __slots__ = ("tenant", "profile", "update_mask")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    profile: _profile_pb2.Profile
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, tenant: _Optional[str] = ..., profile: _Optional[_Union[_profile_pb2.Profile, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateProfileResponse(_message.Message):
    __slots__ = ("profile", "position")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    profile: _profile_pb2.Profile
    position: bytes
    def __init__(self, profile: _Optional[_Union[_profile_pb2.Profile, _Mapping]] = ..., position: _Optional[bytes] = ...) -> None: ...

class ListProfilesRequest(_message.Message):
    __slots__ = ("tenant", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProfilesResponse(_message.Message):
    __slots__ = ("profiles", "next_page_token")
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    profiles: _containers.RepeatedCompositeFieldContainer[_profile_pb2.Profile]
    next_page_token: str
    def __init__(self, profiles: _Optional[_Iterable[_Union[_profile_pb2.Profile, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class FindSimilarUsersRequest(_message.Message):
    __slots__ = ("tenant", "subject", "count")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: _subject_pb2.Subject
    count: int
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class FindSimilarUsersResponse(_message.Message):
    __slots__ = ("users", "generation_id", "compared")
    USERS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedCompositeFieldContainer[SimilarUser]
    generation_id: str
    compared: int
    def __init__(self, users: _Optional[_Iterable[_Union[SimilarUser, _Mapping]]] = ..., generation_id: _Optional[str] = ..., compared: _Optional[int] = ...) -> None: ...

class SimilarUser(_message.Message):
    __slots__ = ("subject", "similarity")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    subject: _subject_pb2.Subject
    similarity: float
    def __init__(self, subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., similarity: _Optional[float] = ...) -> None: ...

class EraseUserRequest(_message.Message):
    __slots__ = ("tenant", "subject", "note")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: _subject_pb2.Subject
    note: str
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class EraseUserResponse(_message.Message):
    __slots__ = ("erasure",)
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    erasure: _erasure_pb2.Erasure
    def __init__(self, erasure: _Optional[_Union[_erasure_pb2.Erasure, _Mapping]] = ...) -> None: ...

class GetErasureRequest(_message.Message):
    __slots__ = ("tenant", "erasure_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    erasure_id: str
    def __init__(self, tenant: _Optional[str] = ..., erasure_id: _Optional[str] = ...) -> None: ...

class GetErasureResponse(_message.Message):
    __slots__ = ("erasure",)
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    erasure: _erasure_pb2.Erasure
    def __init__(self, erasure: _Optional[_Union[_erasure_pb2.Erasure, _Mapping]] = ...) -> None: ...

class ListErasuresRequest(_message.Message):
    __slots__ = ("tenant", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListErasuresResponse(_message.Message):
    __slots__ = ("erasures", "next_page_token")
    ERASURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    erasures: _containers.RepeatedCompositeFieldContainer[_erasure_pb2.Erasure]
    next_page_token: str
    def __init__(self, erasures: _Optional[_Iterable[_Union[_erasure_pb2.Erasure, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class MergeProfilesRequest(_message.Message):
    __slots__ = ("tenant", "into", "from_subjects", "source")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    INTO_FIELD_NUMBER: _ClassVar[int]
    FROM_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    into: _subject_pb2.Subject
    from_subjects: _containers.RepeatedCompositeFieldContainer[_subject_pb2.Subject]
    source: str
    def __init__(self, tenant: _Optional[str] = ..., into: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., from_subjects: _Optional[_Iterable[_Union[_subject_pb2.Subject, _Mapping]]] = ..., source: _Optional[str] = ...) -> None: ...

class MergeProfilesResponse(_message.Message):
    __slots__ = ("into", "merged", "position")
    INTO_FIELD_NUMBER: _ClassVar[int]
    MERGED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    into: _subject_pb2.Subject
    merged: int
    position: bytes
    def __init__(self, into: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., merged: _Optional[int] = ..., position: _Optional[bytes] = ...) -> None: ...

class UnmergeProfilesRequest(_message.Message):
    __slots__ = ("tenant", "from_subjects", "source")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FROM_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    from_subjects: _containers.RepeatedCompositeFieldContainer[_subject_pb2.Subject]
    source: str
    def __init__(self, tenant: _Optional[str] = ..., from_subjects: _Optional[_Iterable[_Union[_subject_pb2.Subject, _Mapping]]] = ..., source: _Optional[str] = ...) -> None: ...

class UnmergeProfilesResponse(_message.Message):
    __slots__ = ("unmerged", "position")
    UNMERGED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    unmerged: int
    position: bytes
    def __init__(self, unmerged: _Optional[int] = ..., position: _Optional[bytes] = ...) -> None: ...

class ListMergesRequest(_message.Message):
    __slots__ = ("tenant", "subject", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: _subject_pb2.Subject
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMergesResponse(_message.Message):
    __slots__ = ("merges", "next_page_token")
    MERGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    merges: _containers.RepeatedCompositeFieldContainer[Merge]
    next_page_token: str
    def __init__(self, merges: _Optional[_Iterable[_Union[Merge, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExportUserRequest(_message.Message):
    __slots__ = ("tenant", "subject")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: _subject_pb2.Subject
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ...) -> None: ...

class ExportUserResponse(_message.Message):
    __slots__ = ("part",)
    PART_FIELD_NUMBER: _ClassVar[int]
    part: _user_export_pb2.UserExportPart
    def __init__(self, part: _Optional[_Union[_user_export_pb2.UserExportPart, _Mapping]] = ...) -> None: ...

class Merge(_message.Message):
    __slots__ = ("from_subject", "into", "unmerged", "time", "source")
    FROM_SUBJECT_FIELD_NUMBER: _ClassVar[int]
    INTO_FIELD_NUMBER: _ClassVar[int]
    UNMERGED_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    from_subject: _subject_pb2.Subject
    into: _subject_pb2.Subject
    unmerged: bool
    time: _timestamp_pb2.Timestamp
    source: str
    def __init__(self, from_subject: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., into: _Optional[_Union[_subject_pb2.Subject, _Mapping]] = ..., unmerged: bool = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ...) -> None: ...

class PutAttributeSchemaRequest(_message.Message):
    __slots__ = ("tenant", "schema")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    schema: _attribute_schema_pb2.AttributeSchema
    def __init__(self, tenant: _Optional[str] = ..., schema: _Optional[_Union[_attribute_schema_pb2.AttributeSchema, _Mapping]] = ...) -> None: ...

class PutAttributeSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: _attribute_schema_pb2.AttributeSchema
    def __init__(self, schema: _Optional[_Union[_attribute_schema_pb2.AttributeSchema, _Mapping]] = ...) -> None: ...

class GetAttributeSchemaRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class GetAttributeSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: _attribute_schema_pb2.AttributeSchema
    def __init__(self, schema: _Optional[_Union[_attribute_schema_pb2.AttributeSchema, _Mapping]] = ...) -> None: ...
