"""What users did, as an evaluation reads it: in order of time, split in two."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event. `second` is its time in unix seconds; `row` finds it again where it came from."""

    user: str
    item: str
    second: int
    row: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """A history cut in two at a point of time, and what was known before it."""

    before: Sequence[HistoryEvent]
    after: Sequence[HistoryEvent]
    users_before: frozenset[str]
    items_before: frozenset[str]


def split_history(events: Sequence[HistoryEvent], start: int) -> Split:
    """Sort events by time, keeping the order within a second, and cut before event `start`.

    The cut moves on to the next change of the second, so that no second is on both sides.
    """
    ordered = sorted(events, key=lambda event: event.second)
    start = max(0, min(start, len(ordered)))
    while 0 < start < len(ordered) and ordered[start].second == ordered[start - 1].second:
        start += 1
    before = ordered[:start]
    return Split(
        before,
        ordered[start:],
        frozenset(event.user for event in before),
        frozenset(event.item for event in before),
    )


def start_row(start: float, rows: int) -> int:
    """Return the row that `start` means: below 1 a fraction of `rows`, otherwise a row number.

    Raises:
        ValueError: it is negative or no number.

    """
    if not 0 <= start < math.inf:
        raise ValueError(f"start must be a fraction such as 0.8 or a row number, is {start}")
    return int(start * rows) if start < 1 else min(int(start), rows)
