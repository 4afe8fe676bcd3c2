"""How alike candidates are, by their vectors."""

import numpy as np

from services.common.arrays import Float32s


class Likeness:
    """Cosines of the vectors [n, d] of candidates; of a vector of zeros, 0 with all others."""

    def __init__(self, vectors: Float32s) -> None:
        self._vectors = vectors
        lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
        self._scales = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)

    def with_all(self, item: int) -> Float32s:
        """Return float32 [n] in -1..1 within rounding: 1 for the item itself."""
        cosines: Float32s = self._vectors @ (self._vectors[item] * self._scales[item])
        cosines *= self._scales
        cosines[item] = 1.0
        return cosines
