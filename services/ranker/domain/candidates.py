"""Candidates of a slate: the union of what sources propose, with every source's scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.ranker.domain.arrays import Bools, Float64s, Ordinals, sorted_distinct
from services.ranker.domain.sources.source import NOTHING, Source


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items to be ranked, each once.

    `ordinals` [n], ascending. `scores` [sources, n]: in each source's own unit, NOTHING where a
    source has nothing to say. `proposed`: what each source proposed, best first.
    """

    ordinals: Ordinals
    scores: Float64s
    proposed: tuple[Ordinals, ...]

    def ranks(self, ordinals: Ordinals) -> Ordinals:
        """Return where sources rank given items, [sources, n], from 1; 0: not proposed."""
        return np.stack([_ranks(ordinals, best_first) for best_first in self.proposed])


def gather(sources: Sequence[Source], eligible: Bools, pool: int, wanted: int) -> Candidates:
    """Return the best `pool` of every source, filled up to `wanted` by any eligible item."""
    proposed = tuple(source.propose(eligible, pool).ordinals for source in sources)
    ordinals: Ordinals = sorted_distinct(np.concatenate(proposed))
    if ordinals.size < wanted:
        ordinals = _filled(ordinals, eligible, wanted)
    return Candidates(ordinals, _scores(sources, ordinals), proposed)


def given(sources: Sequence[Source], ordinals: Ordinals) -> Candidates:
    """Return candidates that the caller chose; `ordinals` must be distinct.

    Every source proposes those of them about which it has something to say.
    """
    ordinals = np.sort(ordinals)
    scores = _scores(sources, ordinals)
    # Ordinals ascend and the sort is stable, so equal scores go by ordinal.
    proposed = tuple(
        ordinals[np.argsort(-column, kind="stable")[: np.count_nonzero(column != NOTHING)]]
        for column in scores
    )
    return Candidates(ordinals, scores, proposed)


def _filled(ordinals: Ordinals, eligible: Bools, wanted: int) -> Ordinals:
    left = eligible.copy()
    left[ordinals] = False
    extra = np.flatnonzero(left)[: wanted - ordinals.size]
    return np.sort(np.concatenate([ordinals, extra]))


def _scores(sources: Sequence[Source], ordinals: Ordinals) -> Float64s:
    return np.stack([source.scores_of(ordinals) for source in sources])


def _ranks(ordinals: Ordinals, best_first: Ordinals) -> Ordinals:
    if best_first.size == 0:
        return np.zeros(ordinals.size, dtype=np.int64)
    ascending = np.argsort(best_first)
    places = np.searchsorted(best_first, ordinals, sorter=ascending)
    places[places == best_first.size] = 0
    places = ascending[places]
    return np.where(best_first[places] == ordinals, places + 1, 0)
