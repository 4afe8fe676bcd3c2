"""V-SKNN: nearest sessions, with the vector of the current one weighted by recency.

Ludewig & Jannach 2018 (arXiv 1803.09587), section "V-SKNN": items of the current session weigh
linearly less the older they are; of the sessions that share an item the most recent `sample` are
compared (dot product with the decayed vector); the best `k` vote:

    score(i) = sum over neighbours n of sim(n) * w(latest item shared with n) * idf(i) if i in n

with w(latest shared, at position p from the end of the session) = max(0, 1 - 0.1 p), and
idf(i) = log(sessions / sessions with i) (session-rec `vsknn`, idf_weighting). Here a session is
what a user did, the latest items only; how many, k and the idf are chosen on the last tenth of
training.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from services.evaluation.baselines.fallback import Fallback
from services.evaluation.baselines.ranges import ranges
from services.evaluation.baselines.recency import latest_first
from services.evaluation.baselines.registry import BaselineContext
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.baselines.validation import choose, grid, head_of
from services.system.timeline import Codes, Ints

SAMPLE = 1000
_LONGEST_NEIGHBOUR = 500


class SessionIndex:
    """Sessions of training, both ways: session -> items, item -> sessions, latest session first.

    Sessions are numbered by recency: 0 had the latest event.
    """

    def __init__(self, train: TrainPart, longest: int = _LONGEST_NEIGHBOUR) -> None:
        order, begins = train.by_user()
        lengths = np.diff(begins)
        active = np.flatnonzero(lengths)
        last_us = train.times_us[order[begins[active + 1] - 1]] if active.size else begins[:0]
        by_recency = active[np.argsort(-last_us, kind="stable")]
        items = [
            latest_first(train.items[order[begins[user] : begins[user + 1]]], longest)
            for user in by_recency.tolist()
        ]
        self.sessions = len(items)
        self.items = np.concatenate(items) if items else np.zeros(0, np.int32)
        self.begins = np.concatenate([[0], np.cumsum([one.size for one in items])]).astype(np.int64)
        session = np.repeat(np.arange(self.sessions), np.diff(self.begins))
        by_item = np.argsort(self.items, kind="stable")
        self.item_sessions = session[by_item]
        counts = np.bincount(self.items, minlength=train.n_items)
        self.item_begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.idf = np.log(max(self.sessions, 1) / np.maximum(counts, 1))


class VSknn:
    """Votes of the nearest sessions."""

    def __init__(
        self,
        index: SessionIndex,
        fallback: Fallback,
        n_items: int,
        k: int,
        last: int,
        idf: bool,
        sample: int = SAMPLE,
    ) -> None:
        """k: neighbours. last: items of the current session. idf: rare items weigh more."""
        self._index = index
        self._fallback = fallback
        self._n_items = n_items
        self._k = k
        self._last = last
        self._idf = idf
        self._sample = sample

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        """Return the votes; popularity below them."""
        own = latest_first(items, self._last)
        sessions, similarities, position = self._neighbours(own)
        if sessions.size == 0:
            return self._fallback.alone()
        votes = similarities * np.maximum(0.0, 1.0 - 0.1 * position)
        index = self._index
        begins, ends = index.begins[sessions], index.begins[sessions + 1]
        places, owner = ranges(begins, ends)
        counted = np.bincount(index.items[places], votes[owner], minlength=self._n_items)
        sums = counted.astype(np.float64)
        if self._idf:
            sums = sums * index.idf
        return self._fallback.fill(sums)

    def _neighbours(self, own: Codes) -> tuple[Ints, npt.NDArray[np.float64], Ints]:
        """Return the nearest sessions, their similarities, and where each shares its latest item.

        Positions count from the end of the current session, from 0.
        """
        index = self._index
        places, position = ranges(index.item_begins[own], index.item_begins[own + 1])
        found = index.item_sessions[places]
        if found.size == 0:
            return found, np.zeros(0), found
        # Numbered by recency, so the smallest numbers are the most recent sessions.
        candidates = np.unique(found)[: self._sample]
        inside = found <= candidates[-1]
        found, position = found[inside], position[inside]
        row = np.searchsorted(candidates, found)
        weights = (own.size - position) / own.size
        similarities = np.bincount(row, weights, minlength=candidates.size).astype(np.float64)
        latest = np.full(candidates.size, own.size, np.int64)
        np.minimum.at(latest, row, position)
        if candidates.size > self._k:
            kept = np.argpartition(-similarities, self._k)[: self._k]
            return candidates[kept], similarities[kept], latest[kept]
        return candidates, similarities, latest


def fit(train: TrainPart, context: BaselineContext) -> VSknn:
    """Return the baseline."""
    head = head_of(train)
    index, fallback = SessionIndex(head), Fallback(head)

    def scorer_of(k: int, last: int, idf: bool) -> VSknn:
        return VSknn(index, fallback, train.n_items, k, last, idf)

    candidates = grid(k=(100, 500, 1000), last=(10, 30, 100), idf=(False, True))
    best: Mapping[str, Any] = choose(train, candidates, scorer_of, 300)
    context.say(f"{best['k']} neighbours, last {best['last']} items, idf {best['idf']}")
    return VSknn(SessionIndex(train), Fallback(train), train.n_items, **best)
