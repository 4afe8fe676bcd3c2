"""Baselines as arms."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.evaluation.arm import Moment, Ranking
from services.evaluation.ranking import rank_by_scores
from services.system.timeline import Codes, Ints


class Scorer(Protocol):
    """A fitted baseline."""

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.floating]:
        """Return a score of every item, [items], for a user with this history, oldest first.

        `items` may hold an item more than once, and items that training did not see. NaN: nothing
        is known about an item.
        """


class ScoreArm:
    """Ranks by the scores of a baseline."""

    def __init__(self, name: str, scorer: Scorer, fit_seconds: float, count: int) -> None:
        self.name = name
        self.fit_seconds = fit_seconds
        self._scorer = scorer
        self._count = count

    def rank(self, moment: Moment) -> Ranking:
        """See Arm."""
        scores = self._scorer.scores(moment.items, moment.times_us, moment.time_us)
        return rank_by_scores(scores, moment, self._count)
