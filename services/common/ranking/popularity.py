"""Decayed popularity of items, compared in the log2 domain.

An event's weight halves every half-life. All items decay at one pace, so the order never depends
on now: level = log2(sum of weight * 2^(event time / half-life)) compares any two items, however
old, without underflow (forward decay, Cormode et al., ICDE 2009).
"""

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float64s, Ordinals, grown
from services.common.history_context import PLACES
from services.common.runs import distinct

_TOUCHED_FLOOR = 64
_TOUCHED_SHARE = 32
LEVEL = 2 * PLACES
COUNT = LEVEL + 1
TREND = COUNT + 1
COLUMNS = TREND + 1
"""Of a row: a level for each place, the level of all, the count, and the level that fades fast."""


class Popularity:
    """Levels and counts by ordinal, and the order of levels, kept lazily.

    table [room, COLUMNS]: rows by ordinal; levels are -inf where nothing was. order: all items
    that were popular at some time, best first. touched: those whose level changed since then,
    each once; is_touched [room] marks them. For reading only, and until the next change.
    """

    def __init__(self, half_life_seconds: float) -> None:
        self.half_life_seconds = half_life_seconds
        self.table: Float64s = np.full((0, COLUMNS), -np.inf)
        self.order: Ordinals = NO_ORDINALS
        self.touched: Ordinals = NO_ORDINALS
        self.is_touched: Bools = np.zeros(0, dtype=np.bool_)
        self._size = 0

    @property
    def size(self) -> int:
        """How many ordinals there is room for."""
        return self._size

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`; new ones have no popularity."""
        held = self.table.shape[0]
        self.table = grown(self.table, size, -np.inf)
        self.table[held:, COUNT] = 0.0
        self.is_touched = grown(self.is_touched, size, 0)
        self._size = max(size, self._size)

    def assign(self, rows: Ordinals, levels: Float64s, counts: Float64s) -> None:
        """Set levels and counts of ordinals [n]."""
        self.table[rows, LEVEL] = levels
        self.table[rows, COUNT] = counts
        fresh = distinct(rows[~self.is_touched[rows]])
        if fresh.size:
            self.is_touched[fresh] = True
            self.touched = np.concatenate([self.touched, fresh])

    def assign_places(self, rows: Ordinals, places: Ordinals, levels: Float64s) -> None:
        """Set levels at places [n] of ordinals [n]."""
        self.table[rows, places] = levels

    def assign_trends(self, rows: Ordinals, levels: Float64s) -> None:
        """Set levels of what is popular just now, of ordinals [n]."""
        self.table[rows, TREND] = levels

    def places(self, ordinals: Ordinals) -> Float64s:
        """Return what is popular where, [n, 2 * PLACES]: see ContextPopularity; -inf: never."""
        places: Float64s = self.table[ordinals, :LEVEL]
        return places

    def trends(self, ordinals: Ordinals) -> Float64s:
        """Return levels of what is popular just now; -inf: never."""
        trends: Float64s = self.table[ordinals, TREND]
        return trends

    def counts(self, ordinals: Ordinals) -> Float64s:
        """Return how many positive events items had, undecayed."""
        counts: Float64s = self.table[ordinals, COUNT]
        return counts

    def levels(self, ordinals: Ordinals, now: float) -> Float64s:
        """Return log2 of the decayed sums at `now` (unix seconds); -inf for never popular."""
        levels: Float64s = self.table[ordinals, LEVEL] - now / self.half_life_seconds
        return levels

    def top(self, eligible: Bools, count: int) -> Ordinals:
        """Return at most `count` eligible ordinals that were ever popular, most popular first.

        Equal popularity goes by ordinal.
        """
        self.refresh_order()
        touched = self.touched
        untouched = eligible.copy()
        untouched[touched] = False
        found = np.concatenate([self._first(untouched, count), touched[eligible[touched]]])
        levels = self.table[found, LEVEL]
        order = np.lexsort((found, -levels))[:count]
        best: Ordinals = found[order[levels[order] > -np.inf]]
        return best

    def _first(self, wanted: Bools, count: int) -> Ordinals:
        """Return the first `count` wanted ordinals of the kept order."""
        found: list[Ordinals] = []
        missing, start, step = count, 0, 2 * count
        while missing > 0 and start < self.order.size:
            piece = self.order[start : start + step]
            piece = piece[wanted[piece]][:missing]
            found.append(piece)
            missing -= piece.size
            start, step = start + step, step * 2
        return np.concatenate(found) if found else self.order[:0]

    def refresh_order(self) -> None:
        """Sort all items when many levels changed."""
        if self.touched.size <= _TOUCHED_FLOOR + self._size // _TOUCHED_SHARE:
            return
        levels = self.table[: self._size, LEVEL]
        ever = np.flatnonzero(levels > -np.inf)
        # Ordinals ascend, and the sort is stable, so equal levels stay in order of ordinal.
        self.order = ever[np.argsort(-levels[ever], kind="stable")]
        self.is_touched[self.touched] = False
        self.touched = NO_ORDINALS
