"""The same event id several times in one insert: each is answered as if it had come alone.

The log takes one event per id and insert. Which one, and what becomes of the others, follows from
their order alone, so that it makes no difference whose calls happened to share an insert.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from services.common.position import encode_position
from services.feedback.events.domain.event_cleaning import Reason
from services.feedback.log.log_store import SHARD, Appended, PreparedEvents

EventKey = tuple[str, str]


class Fate(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REUSED = "reused"
    QUARANTINED = "quarantined"
    ERASED = "erased"


FINE = (Fate.ACCEPTED, Fate.DUPLICATE)
"""The event is in the log."""


@dataclass(slots=True)
class FlushedEvents:
    """What became of events, by column; `sequences` 0 when quarantined, and then the reason, or
    when of an erased user.
    """

    epoch: int
    fates: Sequence[Fate]
    sequences: Sequence[int]
    reasons: Sequence[int]

    def part(self, start: int, end: int) -> "FlushedEvents":
        """Return those from one index to before another."""
        return FlushedEvents(
            self.epoch, self.fates[start:end], self.sequences[start:end], self.reasons[start:end]
        )

    def token(self, index: int) -> bytes:
        """Return the token of the position of an event; empty when it was quarantined."""
        sequence = self.sequences[index]
        return encode_position(SHARD, self.epoch, sequence) if sequence else b""

    def latest_token(self) -> bytes:
        """Return that of the latest among the accepted and the known; empty when there is none."""
        fine = [index for index, fate in enumerate(self.fates) if fate in FINE]
        return self.token(max(fine, key=self.sequences.__getitem__)) if fine else b""


def keys_of(events: PreparedEvents) -> list[EventKey]:
    """Return tenant and id of each event."""
    return list(zip(events.tenants, events.event_ids, strict=True))


def representatives_of(keys: Sequence[EventKey], reasons: Sequence[int]) -> Sequence[int]:
    """Return which event to append for each id: the first without a reason for quarantine, or the
    last of all. In their order, which is that of the log.
    """
    if len(set(keys)) == len(keys):
        return range(len(keys))
    chosen: dict[EventKey, int] = {}
    for index, key in enumerate(keys):
        known = chosen.get(key)
        if known is None or reasons[known]:
            chosen[key] = index
    return sorted(chosen.values())


def settle(
    keys: Sequence[EventKey],
    events: PreparedEvents,
    representatives: Sequence[int],
    appended: Appended,
) -> FlushedEvents:
    """Return what became of each event, given what became of those that were appended."""
    if len(representatives) == len(keys) and appended.known is None and not any(events.reasons):
        first = appended.before + 1
        sequences = list(range(first, first + len(keys)))
        return FlushedEvents(appended.epoch, [Fate.ACCEPTED] * len(keys), sequences, events.reasons)
    log = _log_after(keys, events, representatives, appended)
    accepted: set[EventKey] = set()
    settled: list[tuple[Fate, int, int]] = []
    for key, fingerprint, reason in zip(keys, events.fingerprints, events.reasons, strict=True):
        sequence, known, fresh = log[key]
        if fresh and key not in accepted and not reason:
            accepted.add(key)
            settled.append((Fate.ACCEPTED, sequence, Reason.NONE))
        elif not sequence or (fresh and key not in accepted):
            settled.append((Fate.QUARANTINED, 0, reason))
        else:
            fate = Fate.DUPLICATE if fingerprint == known else Fate.REUSED
            settled.append((fate, sequence, Reason.NONE))
    fates, sequences_of, reasons = zip(*settled, strict=True)
    return FlushedEvents(appended.epoch, fates, sequences_of, reasons)


def without_late(size: int, kept: Sequence[int], flushed: FlushedEvents) -> FlushedEvents:
    """Return what became of `size` events, given what did of those kept, by index; the others were
    late for the erasure of their user.
    """
    fates, sequences, reasons = [Fate.ERASED] * size, [0] * size, [0] * size
    for place, index in enumerate(kept):
        fates[index] = flushed.fates[place]
        sequences[index] = flushed.sequences[place]
        reasons[index] = flushed.reasons[place]
    return FlushedEvents(flushed.epoch, fates, sequences, reasons)


def _log_after(
    keys: Sequence[EventKey],
    events: PreparedEvents,
    representatives: Sequence[int],
    appended: Appended,
) -> dict[EventKey, tuple[int, bytes, bool]]:
    """Return what the log has under each id: sequence (0: nothing), fingerprint, whether new."""
    log = {}
    head = appended.before
    for place, index in enumerate(representatives):
        known = appended.known[place] if appended.known is not None else None
        fingerprint = events.fingerprints[index]
        if known is not None:
            log[keys[index]] = (*known, False)
        elif events.reasons[index]:
            log[keys[index]] = (0, fingerprint, False)
        else:
            head += 1
            log[keys[index]] = (head, fingerprint, True)
    return log
