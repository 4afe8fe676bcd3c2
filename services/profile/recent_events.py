"""Recent events of a user as they are stored.

A serialised UserState with nothing but recent events, newest first by event time: reading it back
into an answer is one parse. Beside it their log sequences, int64 little-endian, so that one can be
taken back; events from before sequences were stored have none, or 0.
"""

import math
from collections.abc import Sequence

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from harken.profile.v1 import profile_pb2
from services.profile.domain.behaviour import MAX_RECENT
from services.profile.domain.frame_changes import UserEvent

_SEQUENCE_BYTES = 8
_UNKNOWN = 0


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
        unknown = (
            n for n, one in enumerate(kept)
            if (n >= len(known) or known[n] == _UNKNOWN) and one == same
        )  # fmt: skip
        place = next(unknown, -1)
        if place >= 0:
            del kept[place], known[place : place + 1]
    left = profile_pb2.UserState(recent=kept)
    return left.SerializeToString(), np.array(known, "<i8").tobytes()


def times_of(recent: bytes) -> list[int]:
    """Return the event times of recent events, unix microseconds, newest event first."""
    state = profile_pb2.UserState.FromString(recent)
    return [event.event_time.ToMicroseconds() for event in state.recent]


def with_events(
    recent: bytes, sequences: bytes, events: Sequence[UserEvent], latest_us: int | None
) -> tuple[bytes, bytes]:
    """Return recent events, and their sequences, after later entries of the log: the newest
    MAX_RECENT by event time; of one time the one later in the log is newer.

    events: in log order. latest_us: time of the newest event before them, None without any.
    """
    if not events:
        return recent, sequences
    events = sorted(events, key=lambda event: event.time_us)[-MAX_RECENT:]
    if latest_us is not None and events[0].time_us < latest_us:
        return _merged(recent, sequences, events)
    newer = profile_pb2.UserState(recent=[_recent(event) for event in reversed(events)])
    if recent and len(events) < MAX_RECENT:
        # Repeated fields append: older events follow the newer ones.
        newer.MergeFromString(recent)
        del newer.recent[MAX_RECENT:]
    own = np.array([event.sequence for event in reversed(events)], "<i8").tobytes()
    return newer.SerializeToString(), (own + sequences)[: _SEQUENCE_BYTES * MAX_RECENT]


def _merged(recent: bytes, sequences: bytes, events: Sequence[UserEvent]) -> tuple[bytes, bytes]:
    """Return what with_events does when some events are older than others that were there."""
    state = profile_pb2.UserState.FromString(recent)
    known = np.frombuffer(sequences, "<i8").tolist()
    known += [_UNKNOWN] * (len(state.recent) - len(known))
    # From the oldest on, so that sorting, which is stable, leaves log order where times are equal.
    there = [
        (one.event_time.ToMicroseconds(), sequence, one)
        for one, sequence in zip(reversed(state.recent), reversed(known), strict=True)
    ]
    there += [(event.time_us, event.sequence, _recent(event)) for event in events]
    newest = sorted(there, key=lambda one: one[0])[: -MAX_RECENT - 1 : -1]
    merged = profile_pb2.UserState(recent=[one for _, _, one in newest])
    own = np.array([sequence for _, sequence, _ in newest], "<i8")
    return merged.SerializeToString(), own.tobytes()


def _recent(event: UserEvent) -> profile_pb2.RecentEvent:
    seconds, micros = divmod(event.time_us, 1_000_000)
    return profile_pb2.RecentEvent(
        item_id=event.item_id,
        type=event.type,
        weight=event.weight,
        value=None if math.isnan(event.value) else event.value,
        event_time=Timestamp(seconds=seconds, nanos=micros * 1000),
    )
