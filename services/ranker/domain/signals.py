"""What else speaks for candidates than the sources that list them (see candidate_features)."""

import numpy as np

from services.common.candidate_features import relative_log
from services.common.place_in_history import PLACES, place, session_items
from services.ranker.domain.arrays import Float64s, Ordinals
from services.ranker.domain.popularity import Popularity
from services.ranker.domain.sources.rules import RuleSource

HISTORY = 30
"""Distinct recent items that a place is counted in: what the learner remembers of a user."""
_SHARE_OF_ALL = 1e-3
"""What is popular anywhere counts this much at each place: else what nobody did there is equal."""


class Signals:
    """Signals of one user at one time.

    latest: ordinals of recent events of positive weight, latest first, times: theirs, unix seconds.
    """

    def __init__(
        self,
        popularity: Popularity,
        rules: RuleSource,
        latest: Ordinals,
        times: Float64s,
        now: float,
    ) -> None:
        self._popularity = popularity
        self._rules = rules
        self._own_items, self._own_first, self._own_counts = np.unique(
            latest, return_index=True, return_counts=True
        )
        distinct = np.sort(self._own_first)[:HISTORY]
        self.history = int(distinct.size)
        in_session = session_items(
            (times[np.newaxis, distinct] * 1e6).astype(np.int64),
            np.ones((1, distinct.size), np.bool_),
            np.array([int(now * 1e6)], np.int64),
        )
        self._places = (
            int(place(np.array([distinct.size]))[0]),
            PLACES + int(place(in_session)[0]),
        )

    def scores(self, ordinals: Ordinals, rule_scores: Float64s) -> dict[str, Float64s]:
        """Return scores [n] of candidates by name of the signal; rule_scores [n] >= 0."""
        own_count, own_recency = self._own(ordinals)
        position, session, recent = self._popular(ordinals)
        return {
            "rules_log": relative_log(rule_scores),
            "last": relative_log(self._rules.scores_of_last(ordinals)),
            "position": position,
            "session": session,
            "recent": recent,
            "own_count": own_count,
            "own_recency": own_recency,
        }

    def _popular(self, ordinals: Ordinals) -> tuple[Float64s, Float64s, Float64s]:
        levels = self._popularity.places(ordinals)
        best = float(levels.max(initial=-np.inf))
        if not np.isfinite(best):
            nothing = np.zeros(ordinals.size)
            return nothing, nothing, nothing
        # Levels grow without limit; relative to the best of them they can be added.
        mass = np.exp2(levels - best)
        overall = mass[:, :PLACES].sum(axis=1)
        history, session = self._places
        with np.errstate(divide="ignore"):
            return (
                np.log2(mass[:, history] + _SHARE_OF_ALL * overall),
                np.log2(mass[:, session] + _SHARE_OF_ALL * overall),
                np.log2(overall),
            )

    def _own(self, ordinals: Ordinals) -> tuple[Float64s, Float64s]:
        own, first, counts = self._own_items, self._own_first, self._own_counts
        if own.size == 0:
            return np.zeros(ordinals.size), np.zeros(ordinals.size)
        places = np.minimum(np.searchsorted(own, ordinals), own.size - 1)
        there = own[places] == ordinals
        return (
            np.where(there, np.log2(1.0 + counts[places]), 0.0),
            np.where(there, 1.0 / (1.0 + first[places]), 0.0),
        )
