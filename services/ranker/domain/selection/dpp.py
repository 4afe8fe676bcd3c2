"""Diversity by a determinantal point process, one item after the other."""

from math import log, sqrt

import numpy as np

from services.common.arrays import Float64s
from services.ranker.domain.selection.likeness import Likeness

OWN = 0.01
"""Share of an item that no other has, though their vectors be the same."""


class GreedyDpp:
    """Greedy maximum a posteriori of a DPP (Chen, Zhang and Zhou 2018, algorithm 1).

    The probability of a set S is in proportion to det(L_S), where
    L_ij = exp(a u_i) s_ij exp(a u_j), so that an item adds 2 a u_i + log r_i to its logarithm; r_i
    is what of item i the items that stand do not have. With a = (1 - strength) / (2 strength), as
    in their section 4.4, that orders as u_i + power * log r_i does, power =
    strength / (1 - strength). So the odds of an item are multiplied by r_i to the power.

    s_ij is (1 + cosine) / 2, of different items less OWN: then no r_i is 0, however many items
    stand, and items that are all covered still are in the order of their utilities.
    """

    def __init__(self, likeness: Likeness, size: int, places: int, power: float) -> None:
        self.most = power * -log(OWN)
        self._likeness = likeness
        # Rows of the transposed Cholesky factor: one for each item that stands.
        self._rows: Float64s = np.empty((places, size))
        self._taken = 0
        self._left: Float64s = np.ones(size)

    def take(self, item: int) -> None:
        """Let an item stand; it takes O(n (d + items that stand))."""
        half = (1.0 - OWN) / 2.0
        row = self._likeness.with_all(item, half)
        row += half
        row[item] = 1.0
        if self._taken:
            above = self._rows[: self._taken]
            row -= above[:, item] @ above
        row *= 1.0 / sqrt(self._left[item])
        self._rows[self._taken] = row
        self._taken += 1
        row *= row
        self._left -= row

    def covered(self) -> Float64s:
        """Return [n], log r_i as a share of the least it can be, log OWN."""
        # No item that does not stand has less than OWN left.
        covered: Float64s = np.log(np.maximum(self._left, OWN))
        covered *= 1.0 / log(OWN)
        return covered
