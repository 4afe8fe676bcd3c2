"""The same event id several times in one insert: each is answered as if it had come alone.

The log takes one event per id and insert. Which one, and what becomes of the others, follows from
their order alone, so that it makes no difference whose calls happened to share an insert.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from services.common.position import Position
from services.feedback.domain.event_cleaning import Reason
from services.feedback.store.log_store import AppendedEvent, PreparedEvent

EventKey = tuple[str, str]


class Fate(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REUSED = "reused"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class FlushedEvent:
    """What became of an event; its position unless it was quarantined, and then the reason."""

    fate: Fate
    position: Position | None
    reason: Reason


def representatives_of(events: Sequence[PreparedEvent]) -> dict[EventKey, PreparedEvent]:
    """Return the event to append for each id: the first without a reason for quarantine, or the
    last of all.
    """
    chosen: dict[EventKey, PreparedEvent] = {}
    for event in events:
        key = (event.tenant, event.event_id)
        known = chosen.get(key)
        if known is None or known.reason:
            chosen[key] = event
    return chosen


def settle(
    events: Sequence[PreparedEvent], appended: Mapping[EventKey, AppendedEvent]
) -> list[FlushedEvent]:
    """Return what became of each event, given what became of the one appended for its id."""
    accepted: set[EventKey] = set()
    results = []
    for event in events:
        key = (event.tenant, event.event_id)
        log = appended[key]
        if log.fresh and key not in accepted:
            if event.reason:
                results.append(FlushedEvent(Fate.QUARANTINED, None, Reason(event.reason)))
                continue
            accepted.add(key)
            results.append(FlushedEvent(Fate.ACCEPTED, log.position, Reason.NONE))
        elif log.position is None:
            results.append(FlushedEvent(Fate.QUARANTINED, None, Reason(event.reason)))
        else:
            same = event.fingerprint == log.fingerprint
            fate = Fate.DUPLICATE if same else Fate.REUSED
            results.append(FlushedEvent(fate, log.position, Reason.NONE))
    return results
