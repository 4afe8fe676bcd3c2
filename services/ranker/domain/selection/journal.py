"""What is kept of how the places of a slate were decided."""

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals
from services.ranker.domain.selection.selection import Bytes

UNITS = 255
"""Most of them: what a byte holds."""


class Journal:
    """Rows of a slate of k places from n candidates, written place by place.

    places: int64 [k]; propensities: float64 [k]; allowed: bool [k, n], which candidates could stand
    at a place; lowered: uint8 [k, n], in `unit`s: what diversity took from utilities.
    kept_away, passed: see Decisions.
    """

    def __init__(self, size: int, places: int, most_lowered: float) -> None:
        self.places: Ordinals = np.empty(places, dtype=np.int64)
        self.propensities: Float64s = np.ones(places)
        self.allowed: Bools = np.zeros((places, size), dtype=np.bool_)
        self.unit = most_lowered / UNITS
        self.lowered: Bytes = np.zeros((places if most_lowered else 0, size), dtype=np.uint8)
        self._units = np.arange(UNITS + 1) * self.unit
        self.kept_away: dict[int, list[tuple[str, int]]] = {}
        self.passed: list[int] = []

    def pinned(self, place: int, item: int) -> None:
        """Note that a pin decided a place: no other item could stand there."""
        self.places[place] = item
        self.allowed[place, item] = True

    def lower(self, place: int, covered: Float64s) -> Float64s:
        """Note which shares [n] of the most diversity takes from utilities, and return how much."""
        covered *= UNITS
        np.rint(covered, out=covered)
        self.lowered[place] = covered
        lowered: Float64s = self._units.take(self.lowered[place])
        return lowered

    def decided(self, place: int, item: int, propensity: float, allowed: Bools) -> None:
        """Note how a place was decided."""
        self.places[place] = item
        self.propensities[place] = propensity
        self.allowed[place] = allowed

    def barred(self) -> Bytes:
        """Return uint8 [k, ceil(n / 8)], a bit for each candidate that could not stand there."""
        return np.packbits(~self.allowed, axis=1, bitorder="little")
