"""Which vectors lie together: k-means over vectors with their bias as one more dimension.

Lloyd's algorithm (1982) by squared distance. The bias belongs to it: where biases count for much,
lists of directions alone hold what every user is shown next to what nobody is (measured, half of
the spread of scores from biases: nine tenths of the rows to be looked at instead of one tenth).
"""

import numpy as np

from services.common.runs import run_starts
from services.ranker.domain.arrays import Float32s, Ordinals

TRAINED_ON = 32
"""Vectors a list that training wants."""
_ROUNDS = 8
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

    The same rows give the same centroids: they begin as an even choice of the rows, and a list
    that is left without any begins again with a row that lies farthest from its own.
    """
    centroids = rows[np.linspace(0, len(rows) - 1, lists).astype(np.int64)].copy()
    for _ in range(_ROUNDS):
        nearest, distances = _nearest(rows, centroids)
        order = np.argsort(nearest, kind="stable")
        starts = run_starts(nearest[order])
        sizes = np.diff(starts, append=len(rows))
        sums = np.add.reduceat(rows[order], starts)
        there = nearest[order][starts]
        centroids[there] = sums / sizes[:, np.newaxis].astype(np.float32)
        empty = np.setdiff1d(np.arange(lists), there)
        if empty.size:
            centroids[empty] = rows[np.argsort(-distances, kind="stable")[: empty.size]]
    return CoarseQuantizer(centroids)


def _nearest(rows: Float32s, centroids: Float32s) -> tuple[Ordinals, Float32s]:
    """Return the nearest centroid of each row, and half the square of its distance."""
    halves = 0.5 * np.einsum("ld,ld->l", centroids, centroids)
    nearest = np.empty(len(rows), dtype=np.int64)
    distances = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        near = part @ centroids.T - halves
        best = near.argmax(axis=1)
        nearest[start : start + _CHUNK] = best
        distances[start : start + _CHUNK] = (
            0.5 * np.einsum("nd,nd->n", part, part) - near[np.arange(len(part)), best]
        )
    return nearest, distances
