"""Items that users went on to after what this user did last.

With h_1 the user's latest item of positive weight, h_2 the one before, and so on, and n the count
of positive events of an item:

    score(i) = sum over k = 1..20 of weight(h_k -> i) / rank_k / (n(h_k) + 5)^0.5 / (n(i) + 5)^0.25

rank_k is k; items of one event time share their mean rank, as their order says nothing. Sequential
rules, Ludewig & Jannach 2018 (arXiv 1803.09587), with a softer cosine (Sarwar et al. 2001); the
constants were measured on MovieLens and go with those of the learner.
"""

import numpy as np

from services.common.tied_ranks import tied_ranks
from services.ranker.domain.arrays import Bools, Float64s, Ordinals
from services.ranker.domain.popularity import Popularity
from services.ranker.domain.rule_table import RuleTable
from services.ranker.domain.sources.source import NOTHING, Proposal

WINDOW = 20
_SHRINK = 5.0
_FROM_POWER = 0.5
_TO_POWER = 0.25


class RuleSource:
    """Proposes what follows the user's latest items.

    `latest` holds their ordinals, latest first, `times` the event times; the first 20 count.
    """

    name = "rules"

    def __init__(
        self, rules: RuleTable, popularity: Popularity, latest: Ordinals, times: Float64s
    ) -> None:
        self._latest = latest[:WINDOW]
        ranks = tied_ranks(times[np.newaxis, :])[0, :WINDOW]
        frequency = (popularity.counts(self._latest) + _SHRINK) ** _FROM_POWER
        steps, targets, weights = rules.successors(self._latest, 1.0 / (ranks * frequency))
        # Targets ascending, and what each step adds to each of them.
        self._targets, column = np.unique(targets, return_inverse=True)
        shape = (self._latest.size, self._targets.size)
        cells: Float64s = np.bincount(
            steps * self._targets.size + column, weights=weights, minlength=shape[0] * shape[1]
        ).astype(np.float64)
        self._gains: Float64s = cells.reshape(shape)
        damping = (popularity.counts(self._targets) + _SHRINK) ** _TO_POWER
        self._scores: Float64s = self._gains.sum(axis=0) / damping

    def propose(self, eligible: Bools, count: int) -> Proposal:
        """Return the best `count` of the eligible items that any rule leads to."""
        wanted = np.flatnonzero(eligible[self._targets])
        # Targets ascend and the sort is stable, so equal scores go by ordinal.
        best = wanted[np.argsort(-self._scores[wanted], kind="stable")[:count]]
        return Proposal(self._targets[best], self._scores[best])

    def scores_of(self, ordinals: Ordinals) -> Float64s:
        """Return the scores of given items; NOTHING where no rule leads."""
        places, there = self._find(ordinals)
        scores = np.full(ordinals.size, NOTHING)
        scores[there] = self._scores[places[there]]
        return scores

    def because(self, ordinals: Ordinals) -> Ordinals:
        """Return for given items the recent item that adds most to the score; -1 where none does.

        Of equal ones the latest.
        """
        places, there = self._find(ordinals)
        because = np.full(ordinals.size, -1, dtype=np.int64)
        if there.any():
            because[there] = self._latest[self._gains[:, places[there]].argmax(axis=0)]
        return because

    def _find(self, ordinals: Ordinals) -> tuple[Ordinals, Bools]:
        """Return where in the targets items are, and whether they are there."""
        if self._targets.size == 0:
            return np.zeros(ordinals.size, dtype=np.int64), np.zeros(ordinals.size, dtype=np.bool_)
        places = np.searchsorted(self._targets, ordinals)
        places[places == self._targets.size] = 0
        return places, self._targets[places] == ordinals
