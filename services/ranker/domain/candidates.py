"""Candidates of a slate: the union of what sources propose, with every source's scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.runs import distinct
from services.ranker.domain.arrays import Bools, Float64s, Ordinals
from services.ranker.domain.sources.source import NOTHING, Source


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items to be ranked, each once.

    `ordinals` [n], ascending. `scores` [sources, n]: in each source's own unit, NOTHING where a
    source has nothing to say. `ranks` [sources, n]: where a source lists them, from 1; 0: nowhere.
    """

    ordinals: Ordinals
    scores: Float64s
    ranks: Ordinals


def gather(sources: Sequence[Source], eligible: Bools, pool: int, wanted: int) -> Candidates:
    """Return the best `pool` of every source, filled up to `wanted` by any eligible item."""
    proposed = [source.propose(eligible, pool) for source in sources]
    ordinals: Ordinals = distinct(np.concatenate(proposed))
    if ordinals.size < wanted:
        ordinals = _filled(ordinals, eligible, wanted)
    places = (ordinals.searchsorted(best_first) for best_first in proposed)
    return Candidates(ordinals, _scores(sources, ordinals), _ranks(places, ordinals.size))


def given(sources: Sequence[Source], ordinals: Ordinals) -> Candidates:
    """Return candidates that the caller chose; `ordinals` must be distinct.

    Every source lists those of them about which it has something to say.
    """
    ordinals = np.sort(ordinals)
    scores = _scores(sources, ordinals)
    # Ordinals ascend and the sort is stable, so equal scores go by ordinal.
    places = (
        np.argsort(-column, kind="stable")[: np.count_nonzero(column != NOTHING)]
        for column in scores
    )
    return Candidates(ordinals, scores, _ranks(places, ordinals.size))


def _filled(ordinals: Ordinals, eligible: Bools, wanted: int) -> Ordinals:
    left = eligible.copy()
    left[ordinals] = False
    extra = np.flatnonzero(left)[: wanted - ordinals.size]
    return np.sort(np.concatenate([ordinals, extra]))


def _scores(sources: Sequence[Source], ordinals: Ordinals) -> Float64s:
    return np.stack([source.scores_of(ordinals) for source in sources])


def _ranks(places: Iterable[Ordinals], size: int) -> Ordinals:
    """Return [sources, size] from the places that each source lists, best first."""
    columns = []
    for listed in places:
        ranks: Ordinals = np.zeros(size, dtype=np.int64)
        ranks[listed] = np.arange(1, listed.size + 1)
        columns.append(ranks)
    return np.stack(columns)
