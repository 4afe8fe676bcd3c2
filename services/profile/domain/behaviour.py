"""What is kept of a user's behaviour, as a fold of events: counters, recent events, vector."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from services.profile.domain.frame_changes import UserChange

MAX_RECENT = 100
"""Recent events kept per user."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is kept of one user; the default is a user nothing is known about.

    `recent` are the recent events as they are stored (see services.profile.recent_events). Times
    are unix microseconds, None without any event.
    """

    recent: bytes = b""
    vector: bytes | None = None
    generation_id: str = ""
    events: int = 0
    events_by_type: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    distinct_items: int = 0
    first_event_us: int | None = None
    last_event_us: int | None = None

    def after(self, change: UserChange, new_items: int, recent: bytes) -> "Behaviour":
        """Return what is kept after a change.

        It brings `new_items` items not seen before; `recent` are the recent events after it.
        """
        by_type = dict(self.events_by_type)
        first, last = self.first_event_us, self.last_event_us
        for event in change.events:
            by_type[event.type] = by_type.get(event.type, 0) + 1
            if first is None or event.time_us < first:
                first = event.time_us
            if last is None or event.time_us > last:
                last = event.time_us
        has_vector = change.vector is not None
        return Behaviour(
            recent=recent,
            vector=change.vector if has_vector else self.vector,
            generation_id=change.generation_id if has_vector else self.generation_id,
            events=self.events + len(change.events),
            events_by_type=by_type,
            distinct_items=self.distinct_items + new_items,
            first_event_us=first,
            last_event_us=last,
        )
