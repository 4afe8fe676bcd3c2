"""Rows of different lengths in one array."""

from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.arrays import Int32s, Ordinals, grown

Rows = npt.NDArray[np.signedinteger[Any]]
Values = npt.NDArray[Any]
_SLACK = 1024


class PackedRows:
    """A row of values by ordinal, empty at first; at most about half of the array is unused.

    Ordinals above all that ever had a value take no memory.
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._values: Values = np.zeros(0, dtype)
        self._end = 0
        self._live = 0
        self._starts: Ordinals = np.zeros(0, np.int64)
        self._lengths: Int32s = np.zeros(0, np.int32)

    def assign(self, rows: Ordinals, lengths: Ordinals, values: Values) -> None:
        """Put distinct rows [n] of so many values each in place of what they were; `values`: one
        row after the other.
        """
        last = int(rows[lengths > 0].max(initial=-1))
        if last >= self._lengths.size:
            self._starts = grown(self._starts, last + 1, 0)
            self._lengths = grown(self._lengths, last + 1, 0)
        held = rows < self._lengths.size
        if not held.all():
            # They were empty, and are.
            rows, lengths = rows[held], lengths[held]
        self._live += values.size - int(self._lengths[rows].sum())
        self._values = grown(self._values, self._end + values.size, 0)
        self._values[self._end : self._end + values.size] = values
        self._starts[rows] = self._end + np.cumsum(lengths) - lengths
        self._lengths[rows] = lengths
        self._end += values.size
        if self._end > 2 * self._live + _SLACK:
            self._compact()

    def gathered(self, rows: Rows) -> tuple[Ordinals, Values]:
        """Return rows one after the other: where each starts and the last ends [len(rows) + 1],
        and the values.
        """
        held = rows < self._lengths.size
        if held.all():
            lengths, starts = self._lengths[rows].astype(np.int64), self._starts[rows]
        else:
            lengths, starts = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)
            lengths[held], starts[held] = self._lengths[rows[held]], self._starts[rows[held]]
        ends = np.zeros(rows.size + 1, np.int64)
        np.cumsum(lengths, out=ends[1:])
        places = np.repeat(starts - ends[:-1], lengths)
        places += np.arange(places.size)
        return ends, self._values[places]

    def _compact(self) -> None:
        ends, values = self.gathered(np.arange(self._lengths.size))
        self._starts[:] = ends[:-1]
        self._values = values
        self._end = values.size
