"""Recent events of a user as they are stored.

A serialised UserState with nothing but recent events, newest first: reading it back into an answer
is one parse. Beside it their log sequences, int64 little-endian, so that one can be taken back.
"""

import math
from collections.abc import Sequence

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from harken.profile.v1 import profile_pb2
from services.profile.domain.behaviour import MAX_RECENT
from services.profile.domain.frame_changes import UserEvent

_SEQUENCE_BYTES = 8


def sequences_with_newer(sequences: bytes, events: Sequence[UserEvent]) -> bytes:
    """Return the sequences of recent events after later ones, which come in log order."""
    newer = np.array([event.sequence for event in reversed(events[-MAX_RECENT:])], "<i8")
    return (newer.tobytes() + sequences)[: _SEQUENCE_BYTES * MAX_RECENT]


def without(recent: bytes, sequences: bytes, retracted: Sequence[UserEvent]) -> tuple[bytes, bytes]:
    """Return recent events, and their sequences, without those that were taken back.

    Of events from before sequences were stored, the newest that says the same goes.
    """
    state = profile_pb2.UserState.FromString(recent)
    known = np.frombuffer(sequences, "<i8").tolist()
    kept = list(state.recent)
    for event in retracted:
        if event.sequence in known:
            place = known.index(event.sequence)
            del known[place], kept[place]
            continue
        same = _recent(event)
        old = (n for n, one in enumerate(kept) if n >= len(known) and one == same)
        place = next(old, -1)
        if place >= 0:
            del kept[place]
    left = profile_pb2.UserState(recent=kept)
    return left.SerializeToString(), np.array(known, "<i8").tobytes()


def times_of(recent: bytes) -> list[int]:
    """Return the event times of recent events, unix microseconds, newest event first."""
    state = profile_pb2.UserState.FromString(recent)
    return [event.event_time.ToMicroseconds() for event in state.recent]


def with_newer(recent: bytes, events: Sequence[UserEvent]) -> bytes:
    """Return recent events after later ones, which come in log order; at most MAX_RECENT stay."""
    if not events:
        return recent
    newer = profile_pb2.UserState(recent=[_recent(e) for e in reversed(events[-MAX_RECENT:])])
    if recent and len(events) < MAX_RECENT:
        # Repeated fields append: older events follow the newer ones.
        newer.MergeFromString(recent)
        del newer.recent[MAX_RECENT:]
    return newer.SerializeToString()


def _recent(event: UserEvent) -> profile_pb2.RecentEvent:
    seconds, micros = divmod(event.time_us, 1_000_000)
    return profile_pb2.RecentEvent(
        item_id=event.item_id,
        type=event.type,
        weight=event.weight,
        value=None if math.isnan(event.value) else event.value,
        event_time=Timestamp(seconds=seconds, nanos=micros * 1000),
    )
