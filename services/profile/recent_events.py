"""Recent events of a user as they are stored.

A serialised UserState with nothing but recent events, newest first: reading it back into an answer
is one parse.
"""

import math
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from harken.profile.v1 import profile_pb2
from services.profile.domain.behaviour import MAX_RECENT
from services.profile.domain.frame_changes import UserEvent


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
