from harken.internal.feed.v1 import entries_pb2 as _entries_pb2
from harken.internal.feed.v1 import frame_pb2 as _frame_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubscribeRequest(_message.Message):
    __slots__ = ("start", "nack")
    START_FIELD_NUMBER: _ClassVar[int]
    NACK_FIELD_NUMBER: _ClassVar[int]
    start: SubscribeStart
    nack: Nack
    def __init__(self, start: _Optional[_Union[SubscribeStart, _Mapping]] = ..., nack: _Optional[_Union[Nack, _Mapping]] = ...) -> None: ...

class SubscribeStart(_message.Message):
    __slots__ = ("subscriber", "shard", "resume", "snapshot", "newest", "sections", "gather_ms")
    SUBSCRIBER_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    GATHER_MS_FIELD_NUMBER: _ClassVar[int]
    subscriber: str
    shard: int
    resume: ResumePoint
    snapshot: FromSnapshot
    newest: FromNewest
    sections: _containers.RepeatedScalarFieldContainer[_frame_pb2.Section]
    gather_ms: int
    def __init__(self, subscriber: _Optional[str] = ..., shard: _Optional[int] = ..., resume: _Optional[_Union[ResumePoint, _Mapping]] = ..., snapshot: _Optional[_Union[FromSnapshot, _Mapping]] = ..., newest: _Optional[_Union[FromNewest, _Mapping]] = ..., sections: _Optional[_Iterable[_Union[_frame_pb2.Section, str]]] = ..., gather_ms: _Optional[int] = ...) -> None: ...

class FromSnapshot(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FromNewest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumePoint(_message.Message):
    __slots__ = ("epoch", "version")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    version: int
    def __init__(self, epoch: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class Nack(_message.Message):
    __slots__ = ("version", "reason")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version: int
    reason: str
    def __init__(self, version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("welcome", "snapshot_chunk", "frame", "heartbeat")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_CHUNK_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    snapshot_chunk: SnapshotChunk
    frame: _frame_pb2.Frame
    heartbeat: Heartbeat
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., snapshot_chunk: _Optional[_Union[SnapshotChunk, _Mapping]] = ..., frame: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("epoch", "head_version", "through_sequence", "forks")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_VERSION_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FORKS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    head_version: int
    through_sequence: int
    forks: _containers.RepeatedCompositeFieldContainer[Fork]
    def __init__(self, epoch: _Optional[int] = ..., head_version: _Optional[int] = ..., through_sequence: _Optional[int] = ..., forks: _Optional[_Iterable[_Union[Fork, _Mapping]]] = ...) -> None: ...

class Fork(_message.Message):
    __slots__ = ("epoch", "last_sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    last_sequence: int
    def __init__(self, epoch: _Optional[int] = ..., last_sequence: _Optional[int] = ...) -> None: ...

class SnapshotChunk(_message.Message):
    __slots__ = ("index", "last", "content")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    index: int
    last: bool
    content: _frame_pb2.Frame
    def __init__(self, index: _Optional[int] = ..., last: bool = ..., content: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("epoch", "head_version")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_VERSION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    head_version: int
    def __init__(self, epoch: _Optional[int] = ..., head_version: _Optional[int] = ...) -> None: ...

class FollowEntriesRequest(_message.Message):
    __slots__ = ("subscriber", "shard", "resume", "newest", "user_facts", "gather_ms")
    SUBSCRIBER_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    USER_FACTS_FIELD_NUMBER: _ClassVar[int]
    GATHER_MS_FIELD_NUMBER: _ClassVar[int]
    subscriber: str
    shard: int
    resume: EntryPoint
    newest: FromNewest
    user_facts: bool
    gather_ms: int
    def __init__(self, subscriber: _Optional[str] = ..., shard: _Optional[int] = ..., resume: _Optional[_Union[EntryPoint, _Mapping]] = ..., newest: _Optional[_Union[FromNewest, _Mapping]] = ..., user_facts: bool = ..., gather_ms: _Optional[int] = ...) -> None: ...

class EntryPoint(_message.Message):
    __slots__ = ("epoch", "sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class FollowEntriesResponse(_message.Message):
    __slots__ = ("welcome", "entries", "heartbeat")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    welcome: EntriesWelcome
    entries: _entries_pb2.Entries
    heartbeat: EntriesHeartbeat
    def __init__(self, welcome: _Optional[_Union[EntriesWelcome, _Mapping]] = ..., entries: _Optional[_Union[_entries_pb2.Entries, _Mapping]] = ..., heartbeat: _Optional[_Union[EntriesHeartbeat, _Mapping]] = ...) -> None: ...

class EntriesWelcome(_message.Message):
    __slots__ = ("epoch", "head_sequence", "after_sequence", "forks", "pseudonym_check")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FORKS_FIELD_NUMBER: _ClassVar[int]
    PSEUDONYM_CHECK_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    head_sequence: int
    after_sequence: int
    forks: _containers.RepeatedCompositeFieldContainer[Fork]
    pseudonym_check: bytes
    def __init__(self, epoch: _Optional[int] = ..., head_sequence: _Optional[int] = ..., after_sequence: _Optional[int] = ..., forks: _Optional[_Iterable[_Union[Fork, _Mapping]]] = ..., pseudonym_check: _Optional[bytes] = ...) -> None: ...

class EntriesHeartbeat(_message.Message):
    __slots__ = ("epoch", "head_sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    head_sequence: int
    def __init__(self, epoch: _Optional[int] = ..., head_sequence: _Optional[int] = ...) -> None: ...
