"""Candidates of a slate: the union of what sources propose, with every source's scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals
from services.common.ranking.sources.source import NOTHING, Source
from services.common.runs import distinct

POOL = 200
"""Items that each source proposes, but for slates that want more."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items to be ranked, each once.

    `ordinals` [n], ascending. `scores` [sources, n]: in each source's own unit, NOTHING where a
    source has nothing to say. `ranks` [sources, n]: where a source lists them, from 1; 0: nowhere.
    `usual` [n]: those that a slate is chosen from, where there are others too; None: all are.
    """

    ordinals: Ordinals
    scores: Float64s
    ranks: Ordinals
    usual: Bools | None = None


def gather(sources: Sequence[Source], eligible: Bools, pool: int, wanted: int) -> Candidates:
    """Return the best `pool` of every source, filled up to `wanted` by any eligible item."""
    proposed = [source.propose(eligible, pool) for source in sources]
    ordinals: Ordinals = distinct(np.concatenate(proposed))
    if ordinals.size < wanted:
        ordinals = _filled(ordinals, eligible, wanted)
    places = (ordinals.searchsorted(best_first) for best_first in proposed)
    return Candidates(ordinals, _scores(sources, ordinals), _ranks(places, ordinals.size))


def beside(
    sources: Sequence[Source], usual: Candidates, ordinals: Ordinals, pool: int
) -> Candidates:
    """Return the usual candidates, and of `ordinals` those that are not among them.

    The usual ones keep their ranks. Each other one gets, in each source, the rank it would have if
    the source listed it too, if that is one of the first `pool`.
    """
    others: Ordinals = np.setdiff1d(ordinals, usual.ordinals)
    if others.size == 0:
        return usual
    scores = _scores(sources, others)
    ranks = np.stack(
        [
            _rank_beside(np.sort(own[listed > 0])[::-1], other, pool)
            for own, listed, other in zip(usual.scores, usual.ranks, scores, strict=True)
        ]
    )
    together = np.concatenate([usual.ordinals, others])
    order = together.argsort()
    is_usual = np.arange(together.size) < usual.ordinals.size
    return Candidates(
        together[order],
        np.concatenate([usual.scores, scores], axis=1)[:, order],
        np.concatenate([usual.ranks, ranks], axis=1)[:, order],
        # Where there is nothing usual to compare with they are compared with each other.
        is_usual[order] if usual.ordinals.size else None,
    )


def _rank_beside(listed: Float64s, scores: Float64s, pool: int) -> Ordinals:
    """Return the rank of each score beside those that are listed, best first; 0 for no rank."""
    better: Ordinals = np.searchsorted(-listed, -scores, side="left")
    return np.where((scores != NOTHING) & (better < pool), better + 1, 0)


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
