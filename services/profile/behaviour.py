"""What is kept of a user's behaviour, as a fold of events: counters, recent events, vector."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from google.protobuf.timestamp_pb2 import Timestamp

from harken.profile.v1 import profile_pb2
from services.profile.frame_reader import UserChange, UserEvent

MAX_RECENT = 100
"""Recent events kept per user."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is kept of one user; the default is a user nothing is known about.

    `recent` is a serialised UserState with nothing but recent events, newest first: reading it
    back into an answer is one parse. Times are unix microseconds, None without any event.
    """

    recent: bytes = b""
    vector: bytes | None = None
    generation_id: str = ""
    events: int = 0
    events_by_type: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    distinct_items: int = 0
    first_event_us: int | None = None
    last_event_us: int | None = None

    def after(self, change: UserChange, new_items: int) -> "Behaviour":
        """Return what is kept after a change that brings `new_items` items not seen before."""
        events = change.events
        by_type = dict(self.events_by_type)
        first, last = self.first_event_us, self.last_event_us
        for event in events:
            by_type[event.type] = by_type.get(event.type, 0) + 1
            if first is None or event.time_us < first:
                first = event.time_us
            if last is None or event.time_us > last:
                last = event.time_us
        has_vector = change.vector is not None
        return Behaviour(
            recent=_with_newer(self.recent, events) if events else self.recent,
            vector=change.vector if has_vector else self.vector,
            generation_id=change.generation_id if has_vector else self.generation_id,
            events=self.events + len(events),
            events_by_type=by_type,
            distinct_items=self.distinct_items + new_items,
            first_event_us=first,
            last_event_us=last,
        )


def _with_newer(recent: bytes, events: list[UserEvent]) -> bytes:
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
