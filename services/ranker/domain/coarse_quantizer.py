"""Which vectors lie together: k-means over vectors with their bias as one more dimension.

FAISS does it (Lloyd's algorithm), by squared distance. The bias belongs to it: where biases count
for much, lists of directions alone hold what every user is shown next to what nobody is (measured,
half of the spread of scores from biases: nine tenths of the rows to be looked at, not one tenth).
"""

import faiss
import numpy as np

from services.common.arrays import Float32s, Ordinals

TRAINED_ON = 32
"""Vectors a list that training wants."""
_ROUNDS = 8
_SEED = 1
_CHUNK = 1024


class CoarseQuantizer:
    """Centroids of lists."""

    def __init__(self, centroids: Float32s) -> None:
        """Take centroids [lists, dimension + 1], the bias last."""
        self._centroids = np.ascontiguousarray(centroids[:, :-1])
        self._biases = np.ascontiguousarray(centroids[:, -1])
        self._halves = 0.5 * np.einsum("ld,ld->l", centroids, centroids)
        lengths = np.sqrt(np.einsum("ld,ld->l", self._centroids, self._centroids))
        self._inverses = np.divide(
            1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0, dtype=np.float32
        )

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return self._biases.size

    def lists_of(self, vectors: Float32s, biases: Float32s) -> Ordinals:
        """Return the nearest list [n] of vectors [n, dimension] with biases [n]."""
        nearest = np.empty(biases.size, dtype=np.int64)
        for start in range(0, biases.size, _CHUNK):
            rows = slice(start, start + _CHUNK)
            near = vectors[rows] @ self._centroids.T
            near += np.outer(biases[rows], self._biases)
            near -= self._halves
            near.argmax(axis=1, out=nearest[rows])
        return nearest

    def probes(self, query: Float32s, *, cosine: bool = False) -> Float32s:
        """Return how promising each list is for a query, [lists]: the score of its centroid."""
        scores: Float32s = self._centroids @ query
        if cosine:
            scores *= self._inverses
        else:
            scores += self._biases
        return scores


def trained(rows: Float32s, lists: int) -> CoarseQuantizer:
    """Return the quantizer of rows [n >= lists, dimension + 1], the bias last.

    The same rows give the same centroids, as long as FAISS has one thread.
    """
    kmeans = faiss.Kmeans(
        rows.shape[1], lists, niter=_ROUNDS, seed=_SEED,
        # All rows count: they are a sample as it is, and few of them are no fault.
        min_points_per_centroid=1, max_points_per_centroid=len(rows),
    )  # fmt: skip
    kmeans.train(np.ascontiguousarray(rows))
    assert kmeans.centroids is not None
    return CoarseQuantizer(kmeans.centroids)
