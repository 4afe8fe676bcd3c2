"""Diversity by maximal marginal relevance."""

import numpy as np

from services.common.arrays import Float64s
from services.ranker.domain.selection.likeness import Likeness


class MaximalMarginalRelevance:
    """What an item is worth less its likeness to the nearest that stands.

    Carbonell and Goldstein 1998: (1 - strength) u_i - strength max_j cosine_ij, which orders as
    u_i - power * max_j cosine_ij does, power = strength / (1 - strength).
    """

    def __init__(self, likeness: Likeness, size: int, power: float) -> None:
        self.most = 2.0 * power
        self._likeness = likeness
        self._nearest: Float64s = np.full(size, -1.0)

    def take(self, item: int) -> None:
        """Let an item stand; it takes O(n d)."""
        np.maximum(self._nearest, self._likeness.with_all(item), out=self._nearest)

    def covered(self) -> Float64s:
        """Return [n], (1 + cosine with the nearest) / 2; 0 while none stands."""
        covered: Float64s = self._nearest + 1.0
        covered *= 0.5
        # Vectors are as long as rounding leaves them.
        return np.minimum(covered, 1.0)
