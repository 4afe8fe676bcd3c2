"""How alike candidates are, by their vectors."""

import numpy as np

from services.common.arrays import Float32s


class Likeness:
    """Cosines of the vectors [n, d] of candidates; of a vector of zeros, 0 with all others."""

    def __init__(self, vectors: Float32s) -> None:
        self._vectors = vectors
        lengths = np.sqrt(np.vecdot(vectors, vectors))
        self._scales = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)

    def with_all(self, item: int, times: float = 1.0) -> Float32s:
        """Return float32 [n], cosines times a number, within rounding; of itself about 1 or 0."""
        cosines: Float32s = self._vectors @ (self._vectors[item] * (self._scales[item] * times))
        cosines *= self._scales
        return cosines
