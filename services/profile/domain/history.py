"""The events of a user, as columns: what is added, taken back and, of many, put together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.feed.entries import Doubles, Floats, Ints
from services.profile.domain.changes import UserEvent

MAX_RECENT = 100
"""Recent events answered per user."""
_KEPT_RECENT = 2 * MAX_RECENT
"""The newest events, that are never put together: as many may be taken back as are answered."""
_KEPT = 4
"""Of an item and kind, likewise."""

_Flags = npt.NDArray[np.bool_]


class Row(NamedTuple):
    """One row: an event by itself."""

    item_id: str
    type: int
    value: float
    time_us: int
    weight: float
    sequence: int


@dataclass(frozen=True, slots=True)
class History:
    """Events, each column [n], in no particular order.

    types: index into the user's list of types. values: NaN when none was given. times_us: event
    times, unix microseconds. together: 0 for an event by itself; else the row stands for so many
    events of one item, type and sign of the weight, and has time and sequence of the newest of them
    and the sum of their values, NaN where an earlier release put them together (see `shortened`).
    """

    items: list[str]
    types: Ints
    values: Doubles
    times_us: Ints
    weights: Floats
    sequences: Ints
    together: Ints

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.items)

    def counts(self) -> Ints:
        """Return how many events each row stands for."""
        return np.maximum(self.together, 1)

    def picked(self, rows: Ints | _Flags) -> "History":
        """Return some of the rows."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return History(
            [self.items[place] for place in places.tolist()],
            self.types[places],
            self.values[places],
            self.times_us[places],
            self.weights[places],
            self.sequences[places],
            self.together[places],
        )


def history_of(rows: Sequence[Row]) -> History:
    """Return events by themselves as columns."""
    items, types, values, times, weights, sequences = zip(*rows, strict=True) if rows else ((),) * 6
    return History(
        list(items),
        np.array(types, np.int64),
        np.array(values, np.float64),
        np.array(times, np.int64),
        np.array(weights, np.float32),
        np.array(sequences, np.int64),
        np.zeros(len(items), np.int64),
    )


def joined(parts: Sequence[History]) -> History:
    """Return the rows of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return history_of([])
    return History(
        [item for part in parts for item in part.items],
        np.concatenate([part.types for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.times_us for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.sequences for part in parts]),
        np.concatenate([part.together for part in parts]),
    )


def united(parts: Sequence[tuple[History, list[str]]]) -> tuple[History, list[str]]:
    """Return the rows of several users, each with the types that its types are indices of, as those
    of one.
    """
    if len(parts) == 1:
        return parts[0]
    codes: dict[str, int] = {}
    histories = []
    for history, types in parts:
        own = np.array([codes.setdefault(name, len(codes)) for name in types], np.int64)
        histories.append(replace(history, types=own[history.types]))
    return joined(histories), list(codes)


def item_codes(history: History) -> tuple[list[str], Ints]:
    """Return the distinct items, and the index of each row's."""
    codes: dict[str, int] = {}
    rows = [codes.setdefault(item, len(codes)) for item in history.items]
    return list(codes), np.array(rows, np.int64)


def by_time(history: History) -> Ints:
    """Return the places of the rows by event time, of one time by sequence."""
    return np.lexsort((history.sequences, history.times_us))


def shortened(history: History) -> History:
    """Return fewer rows that answer the same.

    By themselves stay the earliest event, the newest 200, of each item the one accepted last, and
    of each item, type and sign of the weight the newest 4; what is left of those is put together.
    So however often a song plays, its history is short.
    """
    size = len(history)
    order = by_time(history)
    _, items = item_codes(history)
    kinds = np.stack([items, history.types, history.weights < 0])
    _, groups = np.unique(kinds, axis=1, return_inverse=True)
    groups = groups.reshape(-1)
    alone = history.together == 0
    singles = order[alone[order]]
    keep = np.zeros(size, np.bool_)
    keep[singles[:1]] = True
    keep[singles[-_KEPT_RECENT:]] = True
    # Singles by group, newest first, and how many of their group come before each.
    newest = singles[::-1]
    newest = newest[np.argsort(groups[newest], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[newest], prepend=-1))
    rank = np.arange(newest.size) - np.repeat(starts, np.diff(np.append(starts, newest.size)))
    keep[newest[rank < _KEPT]] = True
    # Of each item the one accepted last.
    latest = np.argsort(history.sequences)[::-1]
    last_ones = latest[np.unique(items[latest], return_index=True)[1]]
    keep[last_ones] = alone[last_ones]
    # The others, newest first.
    rest = order[~keep[order]][::-1]
    found, newest, owners = np.unique(groups[rest], return_index=True, return_inverse=True)
    if rest.size == found.size:
        # Each would be put together with itself.
        return history
    owners = owners.reshape(-1)
    counts = np.bincount(owners, history.counts()[rest], found.size)
    together = replace(
        history.picked(rest[newest]),
        values=np.bincount(owners, np.nan_to_num(history.values[rest]), found.size).astype(
            np.float64
        ),
        together=counts.astype(np.int64),
    )
    return joined([history.picked(keep), together])


def without(
    parts: Sequence[History], retracted: Sequence[UserEvent], codes: Mapping[str, int]
) -> list[History]:
    """Return parts without events that were taken back; `codes`: index by type.

    Each event goes from where it is by itself, else from rows put together that it may be in. What
    is not there changes nothing.
    """
    left = {event.sequence: event for event in retracted}
    places: dict[int, list[int]] = defaultdict(list)
    for number, part in enumerate(parts):
        if not left:
            break
        mine = (part.together == 0) & np.isin(part.sequences, np.array(list(left), np.int64))
        for place in np.flatnonzero(mine).tolist():
            places[number].append(place)
            del left[int(part.sequences[place])]
    togethers = [part.together.copy() for part in parts]
    sums = [part.values.copy() for part in parts]
    for event in left.values():
        code = codes.get(event.type, -1)
        for number, part in enumerate(parts):
            found = _put_with(part, togethers[number], event, code)
            if found is not None:
                togethers[number][found] -= 1
                if event.value == event.value:
                    sums[number][found] -= event.value
                if togethers[number][found] == 0:
                    places[number].append(found)
                break
    return [
        _left(part, togethers[number], sums[number], places[number])
        for number, part in enumerate(parts)
    ]


def _left(part: History, together: Ints, sums: Doubles, gone: Sequence[int]) -> History:
    """Return a part without some rows and with fewer put together; itself if nothing changes."""
    if (together != part.together).any():
        part = replace(part, together=together, values=sums)
    if not gone:
        return part
    stay = np.ones(len(part), np.bool_)
    stay[list(gone)] = False
    return part.picked(stay)


def _put_with(part: History, together: Ints, event: UserEvent, code: int) -> int | None:
    """Return the row of events put together that an event may be among."""
    fits = (together > 0) & (part.types == code) & ((part.weights < 0) == (event.weight < 0))
    for place in np.flatnonzero(fits).tolist():
        if part.items[place] == event.item_id:
            return int(place)
    return None
