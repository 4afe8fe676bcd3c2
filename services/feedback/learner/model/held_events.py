"""Which events were held: they count for their users, and never moved what is shared.

Known so that nothing is learned from them later either, as what their user did before something
else, and so that a retraction takes back only what was given.
"""

from array import array
from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from services.common.arrays import grown
from services.feed.parameters import Flags, Floats, Ints
from services.feedback.learner.model.user_table import NO_ITEM, Histories

_REMEMBERED = 2_000
"""Of a user, the latest ones."""


class _Own(NamedTuple):
    """Held events of a user: log sequences, ascending, and the items of the events."""

    sequences: "array[int]"
    items: "array[int]"


class HeldEvents:
    """Held events by user row."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of_user: dict[int, _Own] = {}
        self._has_any: Flags = np.zeros(0, np.bool_)

    def add(self, row: int, sequence: int, item: int) -> None:
        """Remember an event, later in the log than all of its user before."""
        own = self._of_user.get(row)
        if own is None:
            own = self._of_user[row] = _Own(array("q"), array("q"))
            self._has_any = grown(self._has_any, row + 1, False)
            self._has_any[row] = True
        own.sequences.append(sequence)
        own.items.append(item)
        if len(own.sequences) > _REMEMBERED:
            del own.sequences[0], own.items[0]

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

    def hidden(self, row: int, sequence: int) -> set[int]:
        """Return the items that events of a user from a log sequence on do not follow: those that
        events before it were held on.
        """
        own = self._of_user.get(row)
        if own is None:
            return set()
        return set(own.items[: bisect_left(own.sequences, sequence)])

    def without(self, rows: Ints, sequences: Ints, before: Histories) -> Histories:
        """Return the histories just before events [n] of users without what was held of them."""
        if not self._of_user:
            return before
        own = rows < self._has_any.size
        own[own] = self._has_any[rows[own]]
        if not own.any():
            return before
        items, weights, times = before.items.copy(), before.weights.copy(), before.times_us.copy()
        for index in own.nonzero()[0].tolist():
            hidden = self.hidden(int(rows[index]), int(sequences[index]))
            if hidden:
                kept = ~np.isin(items[index], list(hidden))
                _close_up(items[index], kept, NO_ITEM)
                _close_up(weights[index], kept, 0)
                _close_up(times[index], kept, 0)
        return Histories(items, weights, times)


def _close_up(column: Ints | Floats, kept: Flags, empty: int) -> None:
    """Keep only some of a history, without gaps."""
    left = column[kept]
    column[: left.size] = left
    column[left.size :] = empty
