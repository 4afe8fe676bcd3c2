"""New lists for an index, made beside those that serve."""

from dataclasses import dataclass

import numpy as np

from services.common.arrays import Float32s, Float64s, Ordinals, grown
from services.ranker.domain.coarse_quantizer import TRAINED_ON, CoarseQuantizer, trained
from services.ranker.domain.scans import Lists, Scans

_TRIED_ON = 8
"""Vectors a list that training does not see: recall is measured on them."""
SAMPLED = TRAINED_ON + _TRIED_ON
_QUERIES = 256
_RECALL = 0.99
"""Of the tries; the bar for what is served is .98."""
DEPTH = 200
"""How many items slates ask the index for."""
_MAX_NORM = 3.0
"""Of user vectors."""


def lists_for(size: int) -> int:
    """Return how many lists serve so many vectors best: looking at centroids costs, too."""
    return max(1, int(2 * np.sqrt(size)))


@dataclass(frozen=True, slots=True)
class Rows:
    """Vectors as they were at one time."""

    ordinals: Ordinals
    vectors: Float32s
    biases: Float32s


class ListTraining:
    """One training: `run` on a sample, `take` all rows, then the index may be given the lists.

    `run` and `take` touch nothing but what this holds, so they may run in a thread, one by one.
    """

    def __init__(
        self, scans: Scans, sample: Float32s, size: int, largest_share: float, seed: int
    ) -> None:
        """`sample` [n, dimension + 1], bias last, of an index of `size` vectors. Lists that must
        look at a larger share of these than `largest_share` are not made.
        """
        self.scans = scans
        self._sample = sample
        self._largest_share = largest_share
        self._seed = seed
        self.size = size
        self.taken: Ordinals = np.zeros(0, dtype=np.int64)
        """The revision at which the vector of an ordinal was taken; kept by the index."""
        self.quantizer: CoarseQuantizer | None = None
        """None: lists are not worth it."""
        self.lists: Lists | None = None
        self.enough = 0
        """How many eligible rows a search must look at."""

    def run(self) -> None:
        """Find centroids, and how much must be looked at to find what counts.

        Deterministic: the same sample gives the same, whenever it is run.
        """
        count = lists_for(self.size)
        held_out = np.zeros(len(self._sample), dtype=np.bool_)
        held_out[:: SAMPLED // _TRIED_ON] = True
        quantizer = trained(self._sample[~held_out], min(count, int((~held_out).sum())))
        tried = self._sample[held_out]
        queries = _user_like(self._sample[~held_out, :-1], np.random.default_rng(self._seed))
        share = _share_to_look_at(quantizer, queries, tried, self.size)
        if share <= self._largest_share:
            self.enough = max(int(share * self.size) + 1, 4 * DEPTH)
            self.quantizer = quantizer
            self.lists = self.scans.VectorLists(tried.shape[1] - 1, quantizer.lists)
        self._sample = self._sample[:0]

    def take(self, rows: Rows) -> None:
        """Put vectors into their lists, or into others when they come again."""
        if self.quantizer is None or self.lists is None:
            return
        nearest = self.quantizer.lists_of(rows.vectors, rows.biases)
        self.lists.put(rows.ordinals, nearest, rows.vectors, rows.biases)

    def room_for(self, size: int) -> Ordinals:
        """Return `taken` for ordinals below `size`, as a view."""
        self.taken = grown(self.taken, size, 0)
        return self.taken[:size]


def _share_to_look_at(
    quantizer: CoarseQuantizer, queries: Float32s, tried: Float32s, size: int
) -> float:
    """Return which share of the rows, list by list, holds what queries should find.

    `tried` stand for the `size` vectors of the index: of fewer, fewer are the best.
    """
    vectors, biases = np.ascontiguousarray(tried[:, :-1]), tried[:, -1]
    depth = min(len(tried), max(1, round(DEPTH * len(tried) / size)))
    scores = queries @ vectors.T + biases
    best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    list_of = quantizer.lists_of(vectors, biases)
    sizes = np.bincount(list_of, minlength=quantizer.lists)
    before = np.empty((len(queries), depth))
    for number, query in enumerate(queries):
        order = np.argsort(-quantizer.probes(query), kind="stable")
        passed = np.empty(quantizer.lists)
        passed[order] = np.cumsum(sizes[order]) - sizes[order]
        before[number] = passed[list_of[best[number]]]
    return float(np.quantile(before, _RECALL)) / len(tried)


def _user_like(vectors: Float32s, rng: np.random.Generator) -> Float32s:
    """Return vectors as fold-in makes them of one to eight items: about 1 with each of these."""
    queries = np.zeros((_QUERIES, vectors.shape[1]), dtype=np.float32)
    for number, items in enumerate(rng.integers(0, len(vectors), (_QUERIES, 8))):
        own = vectors[items[: 1 + number % 8]]
        faded = 0.8 ** np.arange(len(own), dtype=np.float32)
        queries[number] = faded @ own
    reached = np.einsum("nd,nd->n", queries, queries)
    lengths: Float64s = np.sqrt(reached)
    np.divide(queries, lengths[:, np.newaxis], out=queries, where=lengths[:, np.newaxis] > 0)
    typical = float(np.median(np.sqrt(np.einsum("nd,nd->n", vectors, vectors))))
    queries *= np.float32(min(_MAX_NORM, 1 / typical) if typical > 0 else 1.0)
    return queries
