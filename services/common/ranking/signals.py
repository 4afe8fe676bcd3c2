"""What else speaks for candidates than the sources that list them (see candidate_features)."""

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals
from services.common.candidate_features import relative_log
from services.common.history_context import PLACES, place, session_items
from services.common.ranking.content_table import ContentTable
from services.common.ranking.popularity import Popularity
from services.common.ranking.sources.rules import RuleSource

HISTORY = 30
"""Distinct recent items that a place is counted in: what the learner remembers of a user."""
_SHARE_OF_ALL = 1e-3
"""What is popular anywhere counts this much at each place: else what nobody did there is equal."""


class Signals:
    """Signals of one user at one time.

    times: of the events that the rules follow, latest first, unix seconds.
    """

    def __init__(
        self,
        popularity: Popularity,
        rules: RuleSource,
        content: ContentTable,
        times: Float64s,
        now: float,
    ) -> None:
        self._popularity = popularity
        self._rules = rules
        self._content = content
        self._own_items, self._own_first, self._own_counts = rules.own
        distinct = np.sort(self._own_first)[:HISTORY]
        self.history = int(distinct.size)
        in_session = session_items(
            (times[np.newaxis, distinct] * 1e6).astype(np.int64),
            np.ones((1, distinct.size), np.bool_),
            np.array([int(now * 1e6)], np.int64),
        )
        history, session = place(np.array([distinct.size, in_session[0]])).tolist()
        self._places = (history, PLACES + session)

    def write(
        self, ordinals: Ordinals, rule_scores: Float64s, into: Float64s, among: Bools | None = None
    ) -> None:
        """Write scores of candidates into `into` [all signals, n], later ones and content last.

        rule_scores [n] >= 0. `among` as in candidate_features.
        """
        into[0] = relative_log(rule_scores, among)
        into[1] = relative_log(self._rules.scores_of_last(ordinals), among)
        self._write_popular(ordinals, into[2:5])
        self._write_own(ordinals, into[5:7])
        into[7] = self._popularity.trends(ordinals)
        into[8] = relative_log(self._rules.scores_of_history(ordinals), among)
        into[9] = self._content.likeness(*self._rules.ranked, ordinals)

    def _write_popular(self, ordinals: Ordinals, into: Float64s) -> None:
        """Write position, session and recent."""
        levels = self._popularity.places(ordinals)
        best = float(levels.max(initial=-np.inf))
        if not np.isfinite(best):
            into[:] = 0.0
            return
        history, session = self._places
        # Levels grow without limit; relative to the best of them they can be added.
        mass = np.exp2(levels[:, :PLACES] - best)
        overall = mass.sum(axis=1)
        anywhere = _SHARE_OF_ALL * overall
        into[0] = mass[:, history] + anywhere
        into[1] = np.exp2(levels[:, session] - best) + anywhere
        into[2] = overall
        with np.errstate(divide="ignore"):
            np.log2(into, out=into)

    def _write_own(self, ordinals: Ordinals, into: Float64s) -> None:
        """Write own_count and own_recency."""
        into[:] = 0.0
        own = self._own_items
        if own.size == 0:
            return
        places = np.minimum(own.searchsorted(ordinals), own.size - 1)
        there = (own[places] == ordinals).nonzero()[0]
        found = places[there]
        into[0, there] = np.log2(1.0 + self._own_counts[found])
        into[1, there] = 1.0 / (1.0 + self._own_first[found])
