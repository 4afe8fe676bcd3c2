"""Items that users went on to after what this user did last.

With h_1 the user's latest item of positive weight, h_2 the one before, and so on, and n the count
of positive events of an item:

    score(i) = sum over k = 1..20 of weight(h_k -> i) / rank_k / sqrt((n(h_k) + 5) (n(i) + 5))

rank_k is k; items of one event time share their mean rank, as their order says nothing. Sequential
rules, Ludewig & Jannach 2018 (arXiv 1803.09587), under a shrunk cosine (Sarwar et al. 2001); the
constants go with those of the learner.
"""

import numpy as np

from services.common.tied_ranks import tied_ranks
from services.ranker.domain.arrays import Bools, Float64s, Ordinals, sorted_distinct
from services.ranker.domain.popularity import Popularity
from services.ranker.domain.rule_table import RuleTable
from services.ranker.domain.sources.source import NOTHING, Proposal

WINDOW = 20
_SHRINK = 5.0


class RuleSource:
    """Proposes what follows the user's latest items.

    `latest` holds their ordinals, latest first, `times` the event times; the first 20 count.
    """

    name = "rules"

    def __init__(
        self, rules: RuleTable, popularity: Popularity, latest: Ordinals, times: Float64s
    ) -> None:
        self._latest = latest[:WINDOW]
        frequency = np.sqrt(popularity.counts(self._latest) + _SHRINK)
        factors = 1.0 / (_ranks(times)[:WINDOW] * frequency)
        self._steps, targets, self._weights = rules.successors(self._latest, factors)
        self._targets, self._columns = _distinct(targets, popularity.size)
        totals = np.bincount(self._columns, self._weights, minlength=self._targets.size)
        self._norms: Float64s = np.sqrt(popularity.counts(self._targets) + _SHRINK)
        self._scores: Float64s = totals / self._norms
        # What happened at one time has no order: all of it is last.
        self._last = int(np.count_nonzero(times[:WINDOW] == times[:1]))

    def propose(self, eligible: Bools, count: int) -> Proposal:
        """Return the best `count` of the eligible items that any rule leads to."""
        wanted = np.flatnonzero(eligible[self._targets])
        scores = self._scores[wanted]
        if wanted.size > count:
            # Leave out what cannot be among the best before sorting.
            inside = scores >= np.partition(scores, wanted.size - count)[wanted.size - count]
            wanted, scores = wanted[inside], scores[inside]
        # Targets ascend and the sort is stable, so equal scores go by ordinal.
        order = np.argsort(-scores, kind="stable")[:count]
        return Proposal(self._targets[wanted[order]], scores[order])

    def scores_of(self, ordinals: Ordinals) -> Float64s:
        """Return the scores of given items; NOTHING where no rule leads."""
        places, there = self._find(ordinals)
        scores = np.full(ordinals.size, NOTHING)
        scores[there] = self._scores[places[there]]
        return scores

    def scores_of_last(self, ordinals: Ordinals) -> Float64s:
        """Return what of the scores of given items comes from the latest item alone; 0 for none."""
        if self._last == self._latest.size:
            scores = self.scores_of(ordinals)
            return np.where(scores == NOTHING, 0.0, scores)
        own = self._steps < self._last
        totals = np.bincount(self._columns[own], self._weights[own], minlength=self._targets.size)
        places, there = self._find(ordinals)
        scores = np.zeros(ordinals.size)
        scores[there] = (totals / self._norms)[places[there]]
        return scores

    def because(self, ordinals: Ordinals) -> Ordinals:
        """Return for given items the recent item that adds most to the score; -1 where none does.

        Of equal ones the latest.
        """
        because = np.full(ordinals.size, -1, dtype=np.int64)
        places, there = self._find(ordinals)
        if not there.any():
            return because
        row_of = np.full(self._targets.size, -1, dtype=np.int64)
        row_of[places[there]] = np.flatnonzero(there)
        rows = row_of[self._columns]
        rules = np.flatnonzero(rows >= 0)
        gains = np.zeros((ordinals.size, self._latest.size))
        np.add.at(gains, (rows[rules], self._steps[rules]), self._weights[rules])
        because[there] = self._latest[gains[there].argmax(axis=1)]
        return because

    def _find(self, ordinals: Ordinals) -> tuple[Ordinals, Bools]:
        """Return where in the targets items are, and whether they are there."""
        if self._targets.size == 0:
            return np.zeros(ordinals.size, dtype=np.int64), np.zeros(ordinals.size, dtype=np.bool_)
        places = np.searchsorted(self._targets, ordinals)
        places[places == self._targets.size] = 0
        return places, self._targets[places] == ordinals


def _ranks(times: Float64s) -> Float64s:
    """Return 1, 2, 3 and so on; equal times share their mean rank."""
    if (times[1:] != times[:-1]).all():
        return np.arange(1.0, times.size + 1)
    shared: Float64s = tied_ranks(times[np.newaxis, :])[0].astype(np.float64)
    return shared


def _distinct(ordinals: Ordinals, size: int) -> tuple[Ordinals, Ordinals]:
    """Return the distinct ordinals (below `size`), ascending, and where among them each is."""
    ascending = sorted_distinct(ordinals)
    # Only entries that are written are read, so the table needs no zeroing.
    place_of = np.empty(size, dtype=np.int64)
    place_of[ascending] = np.arange(ascending.size)
    return ascending, place_of[ordinals]
