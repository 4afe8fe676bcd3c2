"""Which events were held: they count for their users, and never moved what is shared.

Known so that nothing is learned from them later either, as what their user did before something
else, and so that a retraction takes back only what was given.
"""

from array import array
from bisect import bisect_left
from typing import Any, NamedTuple

import numpy as np

from services.common.arrays import grown
from services.feed.parameters import Flags, Floats, Ints
from services.feedback.learner.model.user_table import NO_ITEM, Histories

_REMEMBERED = 2_000
"""Of a user, the latest ones."""
_MARKS = 1 << 20


class _Own(NamedTuple):
    """Held events of a user: log sequences, ascending, and the items of the events; first: of each
    item the first of them.
    """

    sequences: "array[int]"
    items: "array[int]"
    first: dict[int, int]


class HeldEvents:
    """Held events by user row."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of_user: dict[int, _Own] = {}
        self._has_any: Flags = np.zeros(0, np.bool_)
        # Marks pairs of user and item with a held event, by hash: most histories have none.
        self._maybe: Flags = np.zeros(_MARKS, np.bool_)

    def add(self, row: int, sequence: int, item: int) -> None:
        """Remember an event, later in the log than all of its user before."""
        own = self._of_user.get(row)
        if own is None:
            own = self._of_user[row] = _Own(array("q"), array("q"), {})
            self._has_any = grown(self._has_any, row + 1, False)
            self._has_any[row] = True
        own.sequences.append(sequence)
        own.items.append(item)
        own.first.setdefault(item, sequence)
        self._maybe[_mark(row, item)] = True
        if len(own.sequences) > _REMEMBERED:
            self._forget_oldest(own)

    def _forget_oldest(self, own: _Own) -> None:
        item = own.items[0]
        del own.sequences[0], own.items[0], own.first[item]
        if item in own.items:
            own.first[item] = own.sequences[own.items.index(item)]

    def holds(self, row: int, sequence: int) -> bool:
        """Return whether an event of a user was held, as far as it is known."""
        own = self._of_user.get(row)
        if own is None:
            return False
        place = bisect_left(own.sequences, sequence)
        return place < len(own.sequences) and own.sequences[place] == sequence

    def of(self, row: int) -> list[tuple[int, int]]:
        """Return the log sequences and items of a user's held events, ascending."""
        own = self._of_user.get(row)
        return [] if own is None else list(zip(own.sequences, own.items, strict=True))

    def without(self, rows: Ints, sequences: Ints, before: Histories) -> Histories:
        """Return the histories just before events [n] of users without what was held of them."""
        if not self._of_user:
            return before
        own = rows < self._has_any.size
        own[own] = self._has_any[rows[own]]
        if not own.any():
            return before
        some = own.nonzero()[0]
        marks = _mark(rows[some, np.newaxis], before.items[some])
        found = some[self._maybe[marks].any(axis=1)]
        if not found.size:
            return before
        items, weights, times = before.items.copy(), before.weights.copy(), before.times_us.copy()
        for index in found.tolist():
            first, sequence = self._of_user[int(rows[index])].first, int(sequences[index])
            # What was held on an item before is no part of what later events follow.
            kept = [first.get(one, sequence) >= sequence for one in items[index].tolist()]
            if not all(kept):
                for column, empty in ((items, NO_ITEM), (weights, 0), (times, 0)):
                    _close_up(column[index], np.array(kept), empty)
        return Histories(items, weights, times)


def _mark(rows: Any, items: Any) -> Any:
    """Return the marks of users and items, numbers or arrays alike."""
    return (rows * 2_654_435_761 + items * 40_503) % _MARKS


def _close_up(column: Ints | Floats, kept: Flags, empty: int) -> None:
    """Keep only some of a history, without gaps."""
    left = column[kept]
    column[: left.size] = left
    column[left.size :] = empty
