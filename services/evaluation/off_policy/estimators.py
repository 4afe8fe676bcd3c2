"""Estimators of what a policy would have earned a slate, on slates that another one showed.

Notation: slate i has items a_1..a_k, rewards r_1..r_k, rho_j = target(a_j | above) / logging(a_j |
above), w_j = rho_1 * .. * rho_j. Each estimator is a mean, or a ratio of means, over slates. Which
assumptions it needs beyond support, and its source, stand with it; all are unbiased under them but
for the self-normalised, which are consistent.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from services.common.arrays import Float64s
from services.evaluation.off_policy.reward_model import predicted_rewards
from services.evaluation.off_policy.weighed_log import WeighedLog


class NotApplicableError(Exception):
    """An estimator lacks something that it needs, and what."""


class Terms(NamedTuple):
    """What an estimator adds up: sum(numerator [n]) / sum(denominator [n]), and its weights [n, m]:
    whose effective number the worst of m columns decides.
    """

    numerator: Float64s
    denominator: Float64s
    weights: Float64s


def ips(log: WeighedLog) -> Terms:
    """mean of w_k * (r_1 + .. + r_k): any reward of a whole slate (Horvitz and Thompson 1952)."""
    weight = log.cascade[:, -1]
    return Terms(weight * log.rewards.sum(axis=1), np.ones(log.slates), weight[:, None])


def snips(log: WeighedLog) -> Terms:
    """As ips, over the mean of w_k (Swaminathan and Joachims 2015): less variance, some bias."""
    weight = log.cascade[:, -1]
    return Terms(weight * log.rewards.sum(axis=1), weight, weight[:, None])


def cascade_ips(log: WeighedLog) -> Terms:
    """mean of the sum of w_j * r_j: what an item earns depends on itself and those above only
    (reward interaction: McInerney et al. 2020).
    """
    weights = log.cascade
    return Terms((weights * log.rewards).sum(axis=1), np.ones(log.slates), weights)


def dr(log: WeighedLog) -> Terms:
    """mean of the sum of w_j * (r_j - q_j(a_j)) + w_(j-1) * (mean of q_j under the target): as
    cascade_ips, and with less variance the better rewards are predicted by q (Dudik et al. 2011;
    place after place: Jiang and Li 2016, Kiyohara et al. 2022).
    """
    if log.why_no_model:
        raise NotApplicableError(log.why_no_model)
    return doubly_robust(log, *predicted_rewards(log))


def doubly_robust(log: WeighedLog, taken: Float64s, expected: Float64s) -> Terms:
    """Return dr for predictions [n, k]: of the items shown, and their means under the target."""
    weights = log.cascade
    above = np.column_stack([np.ones(log.slates), weights[:, :-1]])
    total = (weights * (log.rewards - taken) + above * expected).sum(axis=1)
    return Terms(total, np.ones(log.slates), weights)


def position_ips(log: WeighedLog) -> Terms:
    """mean of the sum of r_j * target(a_j at j) / logging(a_j at j), marginal probabilities: what
    an item earns depends on itself and its place only (item-position: Li et al. 2018).
    """
    if log.marginal is None:
        raise NotApplicableError(log.why_no_marginal)
    total = (log.marginal * log.rewards).sum(axis=1)
    return Terms(total, np.ones(log.slates), log.marginal)


def pseudo_inverse(log: WeighedLog) -> Terms:
    """mean of 1_s^T G^+ q * (r_1 + .. + r_k): the slate earns a sum of what its (place, item) pairs
    are worth, of which only the sum needs to be seen (Swaminathan et al. 2017).
    """
    if log.whole is None:
        raise NotApplicableError(log.why_no_whole)
    total = log.whole * log.rewards.sum(axis=1)
    return Terms(total, np.ones(log.slates), log.whole[:, None])


ESTIMATORS: Mapping[str, Callable[[WeighedLog], Terms]] = MappingProxyType(
    {
        "ips": ips,
        "snips": snips,
        "dr": dr,
        "cascade_ips": cascade_ips,
        "position_ips": position_ips,
        "pseudo_inverse": pseudo_inverse,
    }
)
"""In the order of reports."""
