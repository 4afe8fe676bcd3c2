"""Items that users went on to after what this user did last.

With h_1 the user's latest item of positive weight, h_2 the latest other one, and so on, and n the
count of positive events of an item:

    score(i) = sum over k = 1..20 of weight(h_k -> i) / rank_k / sqrt((n(h_k) + 5) (n(i) + 5))

rank_k is k; items of one event time share their mean rank, as their order says nothing. Sequential
rules, Ludewig & Jannach 2018 (arXiv 1803.09587), under a shrunk cosine (Sarwar et al. 2001); the
constants go with those of the learner. Where what somebody did last says no more than what he did
before, that order harms: the score of the history has no rank_k, and n(i) + 20, as so much is
summed that what has hardly any events comes out on top.
"""

import numpy as np

from services.common.arrays import (
    NO_ORDINALS,
    Bools,
    Float64s,
    Ordinals,
)
from services.common.ranking.popularity import Popularity
from services.common.ranking.rule_table import RuleTable
from services.common.ranking.sources.source import NOTHING
from services.common.runs import distinct, firsts
from services.common.tied_ranks import tied_ranks

WINDOW = 20
_SHRINK = 5.0
_HISTORY_SHRINK = 20.0


class RuleSource:
    """Proposes what follows the user's latest items.

    `latest` holds their ordinals, latest first, `times` the event times; the first 20 different
    ones count. `own`: the different ones of all of `latest`, as `firsts` has them.
    `ranked`: those first 20, and their rank_k.
    """

    name = "rules"

    def __init__(
        self, rules: RuleTable, popularity: Popularity, latest: Ordinals, times: Float64s
    ) -> None:
        self.own = firsts(latest)
        first = np.sort(self.own[1])
        self._latest, times = latest[first[:WINDOW]], times[first]
        frequency = np.sqrt(popularity.counts(self._latest) + _SHRINK)
        self._steps, targets, weights = rules.successors(self._latest)
        ranks = _ranks(times)[:WINDOW]
        self.ranked = self._latest, ranks
        by_rank = 1.0 / (ranks * frequency)
        self._weights: Float64s = weights * by_rank[self._steps]
        self._even: Float64s = weights * (1.0 / frequency)[self._steps]
        self._targets, self._columns = _distinct(targets, popularity.size)
        self._counts = popularity.counts(self._targets)
        self._norms: Float64s = np.sqrt(self._counts + _SHRINK)
        self._scores = self._summed(self._steps.size)
        # What happened at one time has no order: all of it is last.
        self._last = int(np.count_nonzero(times[:WINDOW] == times[:1]))
        self._asked: Ordinals | None = None
        self._found = NO_ORDINALS, np.empty(0, dtype=np.bool_)

    def propose(self, eligible: Bools, count: int) -> Ordinals:
        """Return the best `count` of the eligible items that any rule leads to."""
        wanted = eligible[self._targets].nonzero()[0]
        scores = self._scores[wanted]
        if wanted.size > count:
            # Leave out what cannot be among the best before sorting.
            inside = scores >= np.partition(scores, wanted.size - count)[wanted.size - count]
            wanted, scores = wanted[inside], scores[inside]
        # Targets ascend and the sort is stable, so equal scores go by ordinal.
        order = (-scores).argsort(kind="stable")[:count]
        best: Ordinals = self._targets[wanted[order]]
        return best

    def scores_of(self, ordinals: Ordinals) -> Float64s:
        """Return the scores of given items; NOTHING where no rule leads."""
        places, there = self._find(ordinals)
        return _where(there, self._scores, places, NOTHING)

    def scores_of_last(self, ordinals: Ordinals) -> Float64s:
        """Return what of the scores of given items comes from the latest item alone; 0 for none."""
        # Rules come step by step, the latest first.
        own = int(self._steps.searchsorted(self._last))
        scores = self._scores if own == self._steps.size else self._summed(own)
        places, there = self._find(ordinals)
        return _where(there, scores, places, 0.0)

    def scores_of_history(self, ordinals: Ordinals) -> Float64s:
        """Return the scores of given items where all recent items count alike; 0 for none."""
        totals = np.bincount(self._columns, self._even, minlength=self._targets.size)
        scores: Float64s = totals / np.sqrt(self._counts + _HISTORY_SHRINK)
        places, there = self._find(ordinals)
        return _where(there, scores, places, 0.0)

    def because(self, ordinals: Ordinals, nameable: Bools) -> Ordinals:
        """Return for given items the recent item that adds most to the score; -1 where none does.

        Of equal ones the latest. Only of those that `nameable`, a mask over all items, marks.
        """
        because = np.full(ordinals.size, -1, dtype=np.int64)
        places, there = self._find(ordinals)
        if not there.any():
            return because
        row_of = np.full(self._targets.size, -1, dtype=np.int64)
        row_of[places[there]] = there.nonzero()[0]
        rows = row_of[self._columns]
        rules = (rows >= 0).nonzero()[0]
        steps = self._latest.size
        cells = rows[rules] * steps + self._steps[rules]
        gains = np.bincount(cells, self._weights[rules], minlength=ordinals.size * steps)
        gains = gains.reshape(ordinals.size, steps)
        gains[:, ~nameable[self._latest]] = 0.0
        strongest = gains.argmax(axis=1)
        named = there & (gains.max(axis=1) > 0)
        because[named] = self._latest[strongest[named]]
        return because

    def _summed(self, rules: int) -> Float64s:
        """Return the score of every target from the first so many rules."""
        weights = self._weights[:rules]
        totals = np.bincount(self._columns[:rules], weights, minlength=self._targets.size)
        scores: Float64s = totals / self._norms
        return scores

    def _find(self, ordinals: Ordinals) -> tuple[Ordinals, Bools]:
        """Return where in the targets items are, and whether they are there.

        Candidates are asked for more than once: what was found last is kept.
        """
        if ordinals is not self._asked:
            last = self._targets.size - 1
            if last < 0:
                places = np.zeros(ordinals.size, dtype=np.int64)
                there = np.zeros(ordinals.size, dtype=np.bool_)
            else:
                places = np.minimum(self._targets.searchsorted(ordinals), last)
                there = self._targets[places] == ordinals
            self._asked, self._found = ordinals, (places, there)
        return self._found


def _where(there: Bools, values: Float64s, places: Ordinals, other: float) -> Float64s:
    """Return the values at those places that are there, `other` elsewhere."""
    if values.size == 0:
        return np.full(places.size, other)
    return np.where(there, values[places], other)


def _ranks(times: Float64s) -> Float64s:
    """Return 1, 2, 3 and so on; equal times share their mean rank."""
    if (times[1:] != times[:-1]).all():
        return np.arange(1.0, times.size + 1)
    shared: Float64s = tied_ranks(times[np.newaxis, :])[0].astype(np.float64)
    return shared


def _distinct(ordinals: Ordinals, size: int) -> tuple[Ordinals, Ordinals]:
    """Return the distinct ordinals (below `size`), ascending, and where among them each is."""
    ascending = distinct(ordinals)
    # Only entries that are written are read, so the table needs no zeroing.
    place_of = np.empty(size, dtype=np.int64)
    place_of[ascending] = np.arange(ascending.size)
    return ascending, place_of[ordinals]
