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
_PRIOR = 4
"""Rows: see `_spreads`."""
_SPREAD = 0.3
"""Of how far a list reaches, what counts for it: lists of long vectors that lie far apart come too
late without it (measured, iALS on reviews, 23,700 items, 2 sqrt(n) lists, the best 200: .15 of the
rows instead of .77; on films, 9,000 items: .43 instead of .56).
"""


class CoarseQuantizer:
    """Centroids of lists."""

    def __init__(self, centroids: Float32s, spreads: Float32s) -> None:
        """Take centroids [lists, dimension + 1], the bias last, and how far from them the vectors
        of lists lie, [lists].
        """
        self._spreads = np.ascontiguousarray(np.float32(_SPREAD) * spreads)
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
        """Return how promising each list is for a query, [lists]: what good ones of it score."""
        scores: Float32s = self._centroids @ query
        scores += np.sqrt(query @ query) * self._spreads
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
    centroids: Float32s = kmeans.centroids
    nearest = CoarseQuantizer(centroids, np.zeros(lists, np.float32)).lists_of(
        rows[:, :-1], rows[:, -1]
    )
    return CoarseQuantizer(centroids, _spreads(rows, centroids, nearest))


def _spreads(rows: Float32s, centroids: Float32s, nearest: Ordinals) -> Float32s:
    """Return how far from their centroids the vectors of lists lie, root mean square [lists].

    Where a list has few rows to tell, as many as `_PRIOR` count that lie as far as elsewhere, by
    the length of the centroid: a single row would say that it is all there is.
    """
    lists = len(centroids)
    squares = np.zeros(lists)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        away = rows[part] - centroids[nearest[part]]
        squares += np.bincount(nearest[part], np.einsum("nd,nd->n", away, away), lists)
    held = np.bincount(nearest, minlength=lists)
    lengths = np.einsum("ld,ld->l", centroids, centroids)
    degrees = np.maximum(held - 1, 0)
    usual = squares.sum() / max(float(degrees @ lengths), 1e-30)
    spreads: Float32s = np.sqrt((squares + _PRIOR * usual * lengths) / (degrees + _PRIOR)).astype(
        np.float32
    )
    return spreads
