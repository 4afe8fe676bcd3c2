"""Recent items of users: what a user vector is made from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.feedback.domain.changes import Flags, Floats, Ints

_FIRST_CAPACITY = 1024
NO_ITEM = -1
_Recent = tuple[int, float, int]


@dataclass(frozen=True, slots=True)
class Histories:
    """Recent items just before each event, latest first: items int64 [n, length], padded with
    NO_ITEM; weights float32 [n, length], padded with 0; times_us int64 [n, length], padded with 0.
    """

    items: Ints
    weights: Floats
    times_us: Ints


class UserTable:
    """The last `length` items with positive evidence per user, each item once."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.keys: list[bytes] = []
        self._row_of: dict[bytes, int] = {}
        # Latest first, as they are read.
        self._items: npt.NDArray[np.int64] = np.full((_FIRST_CAPACITY, length), NO_ITEM, np.int64)
        self._weights = np.zeros((_FIRST_CAPACITY, length), np.float32)
        self._times_us = np.zeros((_FIRST_CAPACITY, length), np.int64)
        self.pinned: Flags = np.zeros(_FIRST_CAPACITY, np.bool_)

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, user_key: bytes) -> int:
        """Return the row of a user, made on first sight."""
        row = self._row_of.get(user_key)
        if row is None:
            row = len(self.keys)
            self._row_of[user_key] = row
            self.keys.append(user_key)
            if row >= self.pinned.shape[0]:
                self._grow()
        return row

    def rows(self, user_keys: Sequence[bytes]) -> Ints:
        """Return rows [n], made on first sight."""
        return np.fromiter((self.row(key) for key in user_keys), np.int64, len(user_keys))

    def record(self, rows: Ints, items: Ints, weights: Floats, times_us: Ints) -> Histories:
        """Add events in order; return each user's recent items just before each event.

        An item that comes again moves to the front with its new weight and time; one with negative
        weight is taken out; weight 0 and unknown items (NO_ITEM) change nothing.
        """
        size = len(rows)
        before = Histories(
            np.full((size, self.length), NO_ITEM, np.int64),
            np.zeros((size, self.length), np.float32),
            np.zeros((size, self.length), np.int64),
        )
        open_rows: dict[int, list[_Recent]] = {}
        columns = zip(
            rows.tolist(), items.tolist(), weights.tolist(), times_us.tolist(), strict=True
        )
        for index, (row, item, weight, time_us) in enumerate(columns):
            recent = open_rows.get(row)
            if recent is None:
                recent = open_rows[row] = self._read(row)
            if recent:
                self._write(before, index, recent)
            if item == NO_ITEM or weight == 0:
                continue
            for place, (known, _, _) in enumerate(recent):
                if known == item:
                    del recent[place]
                    break
            if weight > 0:
                recent.insert(0, (item, weight, time_us))
                del recent[self.length :]
        own = Histories(self._items, self._weights, self._times_us)
        for row, recent in open_rows.items():
            self._clear(row)
            self._write(own, row, recent)
        return before

    def histories(self, rows: Ints) -> Histories:
        """Return the recent items of users as they are now."""
        return Histories(self._items[rows], self._weights[rows], self._times_us[rows])

    def restore(self, row: int, items: Ints, weights: Floats, times_us: Ints) -> None:
        """Set the recent items of a user, oldest first."""
        self._clear(row)
        self._items[row, : len(items)] = items[::-1]
        self._weights[row, : len(items)] = weights[::-1]
        self._times_us[row, : len(items)] = times_us[::-1]

    def _read(self, row: int) -> list[_Recent]:
        count = int(np.count_nonzero(self._items[row] != NO_ITEM))
        return list(
            zip(
                self._items[row, :count].tolist(),
                self._weights[row, :count].tolist(),
                self._times_us[row, :count].tolist(),
                strict=True,
            )
        )

    def _clear(self, row: int) -> None:
        self._items[row] = NO_ITEM
        self._weights[row] = 0
        self._times_us[row] = 0

    @staticmethod
    def _write(target: Histories, row: int, recent: list[_Recent]) -> None:
        if recent:
            items, weights, times_us = zip(*recent, strict=True)
            target.items[row, : len(items)] = items
            target.weights[row, : len(items)] = weights
            target.times_us[row, : len(items)] = times_us

    def _grow(self) -> None:
        more = self.pinned.shape[0]
        empty = np.full((more, self.length), NO_ITEM, np.int64)
        self._items = np.concatenate([self._items, empty])
        self._weights = np.concatenate([self._weights, np.zeros((more, self.length), np.float32)])
        self._times_us = np.concatenate([self._times_us, np.zeros((more, self.length), np.int64)])
        self.pinned = np.concatenate([self.pinned, np.zeros(more, np.bool_)])
