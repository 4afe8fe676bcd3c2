"""What is kept of how the places of a slate were decided."""

import numpy as np

from services.common.arrays import Bools, Float32s, Float64s, Ordinals
from services.ranker.domain.selection.limits import Limits
from services.ranker.domain.selection.selection import Bits, Float16s


class Journal:
    """Rows of a slate of k places from n candidates, written place by place.

    places: int64 [k]; propensities: float64 [k]; allowed: bool [k, n], which candidates could stand
    at a place; lowered: float16 [k, n], what diversity took from utilities, None: nothing.
    closed: bool [limits, k, n], what each limit barred at each place.
    passed: bool [k], whether a place went to what there is to be at least, before what was better.
    """

    def __init__(self, size: int, places: int, limits: Limits, lowers: bool) -> None:
        self._limits = limits
        self.places: Ordinals = np.empty(places, dtype=np.int64)
        self.propensities: Float64s = np.ones(places)
        self.allowed: Bools = np.zeros((places, size), dtype=np.bool_)
        self.lowered: Float16s | None = None
        if lowers:
            self.lowered = np.zeros((places, size), dtype=np.float16)
        self.closed: Bools = np.zeros((len(limits.all), places, size), dtype=np.bool_)
        self.passed: Bools = np.zeros(places, dtype=np.bool_)

    def pinned(self, place: int, item: int) -> None:
        """Note that a pin decided a place: no other item could stand there."""
        self.places[place] = item
        self.allowed[place, item] = True

    def decided(
        self, place: int, item: int, propensity: float, allowed: Bools, passed: bool
    ) -> None:
        """Note how a place was decided, before its item counts for limits."""
        self.places[place] = item
        self.propensities[place] = propensity
        self.allowed[place] = allowed
        self.passed[place] = passed
        for number, limit in enumerate(self._limits.all):
            if limit.closed is not None:
                self.closed[number, place] = limit.closed

    def lower(self, place: int, lowered: Float32s) -> Float64s:
        """Note what diversity takes from utilities [n], and return it as it is noted."""
        if self.lowered is None:
            raise ValueError("nothing was to be lowered")
        self.lowered[place] = lowered
        noted: Float64s = self.lowered[place].astype(np.float64)
        return noted

    def barred(self) -> Bits:
        """Return uint8 [k, ceil(n / 8)], a bit for each candidate that could not stand there."""
        return np.packbits(~self.allowed, axis=1, bitorder="little")
