"""What is kept of how the places of a slate were decided."""

import numpy as np

from services.common.arrays import Bools, Float32s, Float64s, Ordinals
from services.ranker.domain.selection.selection import Bits


class Journal:
    """Rows of a slate of k places from n candidates, written place by place.

    places: int64 [k]; propensities: float64 [k]; allowed: bool [k, n], which candidates could stand
    at a place; lowered: float32 [k, n], what diversity took from utilities, None: nothing.
    kept_away: of each place, which limits kept away how many that would have come before its item.
    passed: of each place, whether what there is to be at least went before what was better.
    """

    def __init__(self, size: int, places: int, *, lowers: bool) -> None:
        self.places: Ordinals = np.empty(places, dtype=np.int64)
        self.propensities: Float64s = np.ones(places)
        self.allowed: Bools = np.zeros((places, size), dtype=np.bool_)
        self.lowered: Float32s | None = None
        if lowers:
            self.lowered = np.zeros((places, size), dtype=np.float32)
        self.kept_away: list[list[tuple[str, int]]] = [[] for _ in range(places)]
        self.passed = [False] * places

    def pinned(self, place: int, item: int) -> None:
        """Note that a pin decided a place: no other item could stand there."""
        self.places[place] = item
        self.allowed[place, item] = True

    def decided(
        self, place: int, item: int, propensity: float, allowed: Bools, lowered: Float32s | None
    ) -> None:
        """Note how a place was decided."""
        self.places[place] = item
        self.propensities[place] = propensity
        self.allowed[place] = allowed
        if self.lowered is not None and lowered is not None:
            self.lowered[place] = lowered

    def barred(self) -> Bits:
        """Return uint8 [k, ceil(n / 8)], a bit for each candidate that could not stand there."""
        return np.packbits(~self.allowed, axis=1, bitorder="little")
