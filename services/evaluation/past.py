"""What each user did so far, as views into one array: no copies, whatever the length."""

import numpy as np
import numpy.typing as npt

from services.system.timeline import Codes, Flags, Ints


class Past:
    """Items and times of every user's revealed events, oldest first.

    Events are laid out user by user beforehand; revealing one only moves the user's end.
    """

    def __init__(self, users: Codes, items: Codes, times_us: Ints, counted: Flags) -> None:
        """Lay out events; only `counted` ones are part of anybody's past."""
        kept = np.flatnonzero(counted)
        by_user = kept[np.argsort(users[kept], kind="stable")]
        self._users = users
        self._counted = counted
        self._items = items[by_user]
        self._times_us = times_us[by_user]
        size = int(users.max()) + 1 if users.size else 0
        lengths = np.bincount(users[kept], minlength=size)
        self._begins = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self._ends = self._begins[:-1].copy()

    def reveal(self, events: Ints) -> None:
        """Make events part of the past; they must come in the order of the history per user."""
        counted = events[self._counted[events]]
        self._ends += np.bincount(self._users[counted], minlength=self._ends.size)

    def reveal_of(self, user: int, events: Ints) -> None:
        """Make events of one user part of the past."""
        self._ends[user] += np.count_nonzero(self._counted[events])

    def items(self, user: int) -> Codes:
        """Return the items of a user, oldest first."""
        return self._items[self._begins[user] : self._ends[user]]

    def times_us(self, user: int) -> npt.NDArray[np.int64]:
        """Return the times of a user's events, oldest first."""
        return self._times_us[self._begins[user] : self._ends[user]]
