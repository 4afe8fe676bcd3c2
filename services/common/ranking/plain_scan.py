"""Which items score highest, in NumPy: the reference, and what runs without the compiled core.

A score is vector . query + bias, or, where `norms` of the vectors are given, vector . query / norm,
0 where the norm is 0. Larger is better, equal ones go by ordinal; what has NaN for a score is not
found. Tables may have more rows than `eligible` has flags: those are not looked at.

Its twin is native/src/scan.cpp. FAISS is not faster at this (d = 128: 117 against 88 us at 10,000
items, 1,830 against 2,020 at 100,000), takes ties at the end of the list as they come, and wants
the table to be its own.
"""

from typing import Protocol

import numpy as np

from services.common.arrays import Bools, Float32s, Float64s, Ordinals

_DENSE = 8
"""With one row of so many eligible, all are multiplied: rows in order are read that much faster."""


class ExactScans(Protocol):
    """A module that looks at all vectors: this one, or the compiled core."""

    def exact_top(
        self,
        query: Float32s,
        table: Float32s,
        biases: Float32s,
        eligible: Bools,
        count: int,
        norms: Float32s | None = None,
    ) -> tuple[Ordinals, Float64s]:
        """Return ordinals and scores of the best `count` eligible rows of the table."""

    def dots(
        self, query: Float32s, table: Float32s, biases: Float32s, ordinals: Ordinals
    ) -> Float64s:
        """Return the scores [n] of given rows."""


def exact_top(
    query: Float32s,
    table: Float32s,
    biases: Float32s,
    eligible: Bools,
    count: int,
    norms: Float32s | None = None,
) -> tuple[Ordinals, Float64s]:
    """Return ordinals and scores of the best `count` eligible rows of the table."""
    ordinals: Ordinals = eligible.nonzero()[0]
    if ordinals.size * _DENSE < eligible.size:
        return _best(ordinals, _scores(query, table, biases, norms, ordinals), count)
    all_scores = _scores(query, table, biases, norms, slice(0, eligible.size))
    if ordinals.size > count > 0:
        # What cannot be among the best is left out before anything else is done with it.
        # Nor may what is no number: a partition takes it for the largest.
        there = eligible & ~np.isnan(all_scores)
        all_scores[~there] = -np.inf
        least = np.partition(all_scores, -count)[-count]
        ordinals = ((all_scores >= least) & there).nonzero()[0]
    return _best(ordinals, all_scores[ordinals], count)


def dots(query: Float32s, table: Float32s, biases: Float32s, ordinals: Ordinals) -> Float64s:
    """Return the scores [n] of given rows."""
    return _scores(query, table, biases, None, ordinals).astype(np.float64)


def _scores(
    query: Float32s,
    table: Float32s,
    biases: Float32s,
    norms: Float32s | None,
    rows: Ordinals | slice,
) -> Float32s:
    with np.errstate(invalid="ignore", over="ignore"):
        dots: Float32s = table[rows] @ query
        if norms is None:
            return dots + biases[rows]
        lengths = norms[rows]
        return np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)


def _best(ordinals: Ordinals, scores: Float32s, count: int) -> tuple[Ordinals, Float64s]:
    """Return the best `count`, best first, equal ones by ordinal, none that is NaN."""
    numbers = ~np.isnan(scores)
    if not numbers.all():
        ordinals, scores = ordinals[numbers], scores[numbers]
    if scores.size > count > 0:
        inside = scores >= np.partition(scores, -count)[-count]
        ordinals, scores = ordinals[inside], scores[inside]
    order = np.lexsort((ordinals, -scores))[:count]
    return ordinals[order], scores[order].astype(np.float64)
