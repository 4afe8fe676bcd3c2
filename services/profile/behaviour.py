"""What is kept of a user's behaviour, as a fold of events: counters, recent events, vector."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

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
        result = self
        if change.events:
            result = self._after_events(change.events, new_items)
        if change.vector is not None:
            result = replace(result, vector=change.vector, generation_id=change.generation_id)
        return result

    def _after_events(self, events: list[UserEvent], new_items: int) -> "Behaviour":
        times = [event.time_us for event in events]
        first, last = min(times), max(times)
        return replace(
            self,
            recent=_with_newer(self.recent, events),
            events=self.events + len(events),
            events_by_type=Counter(self.events_by_type) + Counter(event.type for event in events),
            distinct_items=self.distinct_items + new_items,
            first_event_us=first
            if self.first_event_us is None
            else min(first, self.first_event_us),
            last_event_us=last if self.last_event_us is None else max(last, self.last_event_us),
        )


def _with_newer(recent: bytes, events: list[UserEvent]) -> bytes:
    newer = profile_pb2.UserState(recent=[_recent(e) for e in reversed(events[-MAX_RECENT:])])
    if recent and len(events) < MAX_RECENT:
        # Repeated fields append: older events follow the newer ones.
        newer.MergeFromString(recent)
        del newer.recent[MAX_RECENT:]
    return newer.SerializeToString()


def _recent(event: UserEvent) -> profile_pb2.RecentEvent:
    recent = profile_pb2.RecentEvent(
        item_id=event.item_id,
        type=event.type,
        weight=event.weight,
        value=None if math.isnan(event.value) else event.value,
    )
    recent.event_time.FromMicroseconds(event.time_us)
    return recent
