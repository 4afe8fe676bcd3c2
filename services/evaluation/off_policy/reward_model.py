"""What an item earns at a place, predicted from what was logged of it: for the doubly robust."""

import numpy as np

from services.common.arrays import Float64s
from services.evaluation.off_policy.weighed_log import WeighedLog

_FOLDS = 5
_RIDGE = 1.0


def predicted_rewards(log: WeighedLog) -> tuple[Float64s, Float64s]:
    """Return [n, k] predictions for the items shown, and their means under the target policy.

    Ridge regression of the reward on the features of the item, for each place. The slates of a
    user are predicted by what was fitted without them (cross-fitting: Chernozhukov et al. 2018), so
    that the estimate stays unbiased however poor the predictions are. They are linear in the
    features, so their mean under a policy is the prediction at mean features.
    """
    fold = log.users % _FOLDS
    taken = np.zeros(log.rewards.shape)
    expected = np.zeros(log.rewards.shape)
    for place in range(log.rewards.shape[1]):
        # A slate that ends above a place earns nothing there, with certainty.
        there = log.lengths > place
        for one in range(_FOLDS):
            others, own = there & (fold != one), there & (fold == one)
            weights = _ridge(log.taken[others, place], log.rewards[others, place])
            taken[own, place] = _with_one(log.taken[own, place]) @ weights
            expected[own, place] = _with_one(log.expected[own, place]) @ weights
    return taken, expected


def _ridge(features: Float64s, rewards: Float64s) -> Float64s:
    if not len(rewards):
        return np.zeros(features.shape[1] + 1)
    columns = _with_one(features)
    penalty = _RIDGE * np.eye(columns.shape[1])
    penalty[-1, -1] = 0.0
    weights: Float64s = np.linalg.pinv(columns.T @ columns + penalty) @ (columns.T @ rewards)
    return weights


def _with_one(features: Float64s) -> Float64s:
    return np.column_stack([features, np.ones(len(features))])
