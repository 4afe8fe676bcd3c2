"""How alike candidates are, by their vectors."""

import numpy as np

from services.common.arrays import Float64s
from services.ranker.domain.selection.pool import Vectors

UNITY = np.float32(16384.0)
"""How long vectors are made before their numbers are rounded to integers."""


class Likeness:
    """Cosines of the vectors of candidates [n]; of a vector of zeros, 0 with all others.

    They are those of vectors whose numbers are rounded to 1/16384 of their length, so some 2e-5
    off, and exact from there on: sums of integers. So whoever computes them, in whatever order, has
    the same, and a slate is the same wherever it is made.
    """

    def __init__(self, vectors: Vectors) -> None:
        with np.errstate(divide="ignore", over="ignore"):
            scales = UNITY / vectors.norms[vectors.rows]
        scales[~np.isfinite(scales)] = 0.0
        rows = vectors.table[vectors.rows] * scales[:, np.newaxis]
        self._rounded: Float64s = np.rint(rows).astype(np.float64)

    def with_all(self, item: int, times: float = 1.0) -> Float64s:
        """Return [n], cosines times a number; of itself about 1 or 0."""
        cosines: Float64s = self._rounded @ self._rounded[item]
        cosines *= times / float(UNITY * UNITY)
        return cosines
