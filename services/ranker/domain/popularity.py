"""Decayed popularity of items, compared in the log2 domain.

An event's weight halves every half-life. All items decay at one pace, so the order never depends
on now: level = log2(sum of weight * 2^(event time / half-life)) compares any two items, however
old, without underflow (forward decay, Cormode et al., ICDE 2009).
"""

import numpy as np

from services.common.history_context import PLACES
from services.feed.parameters import PlaceCells, PopularityRows
from services.ranker.domain.arrays import Bools, Float64s, Ordinals, grown

_TOUCHED_FLOOR = 64
_TOUCHED_SHARE = 32


class Popularity:
    """Levels and counts by ordinal, and the order of levels, kept lazily."""

    def __init__(self, half_life_seconds: float) -> None:
        self._half_life = half_life_seconds
        self._levels: Float64s = np.full(0, -np.inf)
        self._counts: Float64s = np.zeros(0)
        self._places: Float64s = np.full((0, 2 * PLACES), -np.inf)
        self._size = 0
        # An order of all items as of some time, and the items whose level changed since.
        self._order: Ordinals = np.empty(0, dtype=np.int64)
        self._touched: set[int] = set()

    @property
    def size(self) -> int:
        """How many ordinals there is room for."""
        return self._size

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`; new ones have no popularity."""
        self._levels = grown(self._levels, size, -np.inf)
        self._counts = grown(self._counts, size, 0)
        self._places = grown(self._places, size, -np.inf)
        self._size = max(size, self._size)

    def fold(self, changes: PopularityRows, ordinals: Ordinals) -> None:
        """Assign rows; `ordinals` translates the indices of the changes."""
        rows = ordinals[changes.items]
        self._levels[rows] = changes.levels
        self._counts[rows] = changes.counts
        self._touched.update(rows.tolist())

    def fold_places(self, changes: PlaceCells, ordinals: Ordinals) -> None:
        """Assign cells; `ordinals` translates the indices of the changes."""
        self._places[ordinals[changes.items], changes.places] = changes.levels

    def places(self, ordinals: Ordinals) -> Float64s:
        """Return what is popular where, [n, 2 * PLACES]: see ContextPopularity; -inf: never."""
        return self._places[ordinals]

    def counts(self, ordinals: Ordinals) -> Float64s:
        """Return how many positive events items had, undecayed."""
        return self._counts[ordinals]

    def levels(self, ordinals: Ordinals, now: float) -> Float64s:
        """Return log2 of the decayed sums at `now` (unix seconds); -inf for never popular."""
        return self._levels[ordinals] - now / self._half_life

    def top(self, eligible: Bools, count: int) -> Ordinals:
        """Return at most `count` eligible ordinals that were ever popular, most popular first.

        Equal popularity goes by ordinal.
        """
        if len(self._touched) > _TOUCHED_FLOOR + self._size // _TOUCHED_SHARE:
            self._sort()
        touched = np.fromiter(self._touched, dtype=np.int64, count=len(self._touched))
        untouched = eligible.copy()
        untouched[touched] = False
        found = np.concatenate([self._first(untouched, count), touched[eligible[touched]]])
        levels = self._levels[found]
        order = np.lexsort((found, -levels))[:count]
        best: Ordinals = found[order[levels[order] > -np.inf]]
        return best

    def _first(self, wanted: Bools, count: int) -> Ordinals:
        """Return the first `count` wanted ordinals of the kept order."""
        found: list[Ordinals] = []
        missing, start, step = count, 0, 2 * count
        while missing > 0 and start < self._order.size:
            piece = self._order[start : start + step]
            piece = piece[wanted[piece]][:missing]
            found.append(piece)
            missing -= piece.size
            start, step = start + step, step * 2
        return np.concatenate(found) if found else self._order[:0]

    def _sort(self) -> None:
        levels = self._levels[: self._size]
        ever = np.flatnonzero(levels > -np.inf)
        # Ordinals ascend, and the sort is stable, so equal levels stay in order of ordinal.
        self._order = ever[np.argsort(-levels[ever], kind="stable")]
        self._touched.clear()
