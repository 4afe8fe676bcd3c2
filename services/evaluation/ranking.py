"""Ranks by scores, honest about ties."""

import numpy as np
import numpy.typing as npt

from services.evaluation.arm import Moment, Ranking
from services.system.timeline import Codes


def rank_by_scores(scores: npt.NDArray[np.floating], moment: Moment, count: int) -> Ranking:
    """Return the ranking that scores [items] give; NaN counts as the worst.

    The rank of a target is 1 + how many items have a larger score + half of how many others have
    the same: the mean over all orders of equal scores.
    """
    visible = np.where(moment.hidden | np.isnan(scores), -np.inf, scores)
    ranks = np.full(moment.targets.size, np.inf, np.float32)
    for place, target in enumerate(moment.targets.tolist()):
        if moment.hidden[target]:
            continue
        score = visible[target]
        if score == -np.inf:
            continue
        above = np.count_nonzero(visible > score)
        equal = np.count_nonzero(visible == score)
        ranks[place] = 1 + above + (equal - 1) / 2
    return Ranking(ranks, best_of(visible, count))


def best_of(scores: npt.NDArray[np.floating], count: int) -> Codes:
    """Return the `count` items of the largest finite scores, best first, equal ones by number."""
    if scores.size > count:
        edge = np.partition(scores, scores.size - count)[scores.size - count]
        found = (
            np.flatnonzero(scores >= edge) if edge > -np.inf else np.flatnonzero(scores > -np.inf)
        )
    else:
        found = np.flatnonzero(scores > -np.inf)
    best: Codes = found[np.argsort(-scores[found], kind="stable")][:count].astype(np.int32)
    return best
