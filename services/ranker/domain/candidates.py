"""Candidates of a slate: the union of what sources propose, with every source's scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.ranker.domain.arrays import Bools, Float64s, Int32s, Ordinals
from services.ranker.domain.sources.source import NOTHING, Source


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items to be ranked, each once.

    `ordinals` [n], ascending. `scores` [sources, n]: in each source's own unit, NOTHING where a
    source has nothing to say. `proposed`: what each source proposed, best first. `ranks`
    [sources, n]: place therein from 1; 0: not proposed.
    """

    ordinals: Ordinals
    scores: Float64s
    proposed: tuple[Ordinals, ...]
    ranks: Int32s


def gather(sources: Sequence[Source], eligible: Bools, pool: int, wanted: int) -> Candidates:
    """Return the best `pool` of every source, filled up to `wanted` by any eligible item."""
    proposed = tuple(source.propose(eligible, pool).ordinals for source in sources)
    ordinals: Ordinals = np.unique(np.concatenate(proposed))
    if ordinals.size < wanted:
        ordinals = _filled(ordinals, eligible, wanted)
    return Candidates(ordinals, _scores(sources, ordinals), proposed, _ranks(ordinals, proposed))


def given(sources: Sequence[Source], ordinals: Ordinals) -> Candidates:
    """Return candidates that the caller chose; `ordinals` must be distinct. Ranks among them."""
    ordinals = np.sort(ordinals)
    scores = _scores(sources, ordinals)
    # Ordinals ascend and the sort is stable, so equal scores go by ordinal.
    proposed = tuple(
        ordinals[np.argsort(-column, kind="stable")[: np.count_nonzero(column != NOTHING)]]
        for column in scores
    )
    return Candidates(ordinals, scores, proposed, _ranks(ordinals, proposed))


def _filled(ordinals: Ordinals, eligible: Bools, wanted: int) -> Ordinals:
    left = eligible.copy()
    left[ordinals] = False
    extra = np.flatnonzero(left)[: wanted - ordinals.size]
    return np.sort(np.concatenate([ordinals, extra]))


def _scores(sources: Sequence[Source], ordinals: Ordinals) -> Float64s:
    return np.stack([source.scores_of(ordinals) for source in sources])


def _ranks(ordinals: Ordinals, proposed: Sequence[Ordinals]) -> Int32s:
    ranks = np.zeros((len(proposed), ordinals.size), dtype=np.int32)
    for row, best_first in zip(ranks, proposed, strict=True):
        row[np.searchsorted(ordinals, best_first)] = np.arange(1, best_first.size + 1)
    return ranks
