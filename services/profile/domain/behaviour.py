"""What is kept of a user's behaviour, as a fold of events: counters, recent events, vector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from services.profile.domain.frame_changes import UserChange

MAX_RECENT = 100
"""Recent events kept per user."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is kept of one user; the default is a user nothing is known about.

    `recent` are the recent events, and `recent_sequences` their sequences, as they are stored (see
    services.profile.recent_events). Times are unix microseconds, None without any event.
    """

    recent: bytes = b""
    recent_sequences: bytes = b""
    vector: bytes | None = None
    generation_id: str = ""
    events: int = 0
    events_by_type: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    distinct_items: int = 0
    first_event_us: int | None = None
    last_event_us: int | None = None

    def after(self, change: UserChange, recent: bytes, recent_sequences: bytes) -> "Behaviour":
        """Return what is kept after a change; `recent` are the recent events after it.

        Distinct items are as before: which ones are new is known where the items are.
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
            recent_sequences=recent_sequences,
            vector=change.vector if has_vector else self.vector,
            generation_id=change.generation_id if has_vector else self.generation_id,
            events=self.events + len(change.events),
            events_by_type=by_type,
            distinct_items=self.distinct_items,
            first_event_us=first,
            last_event_us=last,
        )

    def without(
        self,
        change: UserChange,
        gone_items: int,
        recent: bytes,
        recent_sequences: bytes,
        times_us: Sequence[int],
    ) -> "Behaviour":
        """Return what is kept once earlier events are taken back.

        With them `gone_items` items are no longer seen; `recent` are the recent events without
        them, at `times_us`. First and last time are exact while all events are recent ones; else
        the first one stays, and the last one is that of the recent events, if they hold it.
        """
        by_type = dict(self.events_by_type)
        for event in change.retracted:
            left = by_type.get(event.type, 0) - 1
            if left > 0:
                by_type[event.type] = left
            else:
                by_type.pop(event.type, None)
        events = max(0, self.events - len(change.retracted))
        first, last = self.first_event_us, self.last_event_us
        if events <= len(times_us):
            first, last = min(times_us, default=None), max(times_us, default=None)
        elif last in {event.time_us for event in change.retracted}:
            last = max(times_us, default=last)
        has_vector = change.vector is not None
        return replace(
            self,
            recent=recent,
            recent_sequences=recent_sequences,
            vector=change.vector if has_vector else self.vector,
            generation_id=change.generation_id if has_vector else self.generation_id,
            events=events,
            events_by_type=by_type,
            distinct_items=max(0, self.distinct_items - gone_items),
            first_event_us=first,
            last_event_us=last,
        )

    @property
    def nothing(self) -> bool:
        """Whether nothing is left of it: no event, and no vector or the zero vector."""
        return self.events == 0 and not any(self.vector or b"")
