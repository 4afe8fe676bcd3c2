"""The value of a policy by every estimator, with intervals, or why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Float64s
from services.evaluation.off_policy.estimators import ESTIMATORS, NotApplicableError, Terms
from services.evaluation.off_policy.intervals import RatioOfMeans, ratio_of_means
from services.evaluation.off_policy.weighed_log import WeighedLog
from services.system.intervals import Interval

LEAST_SLATES = 100
LEAST_USERS = 30
LEAST_EFFECTIVE = 50.0
"""Slates that the weights leave, in effect: below, the spread itself is not known, and intervals
that are computed from it miss."""
MOST_UNMET = 0.001
"""Share of the target's slates that logging could never show: what these earn is not known."""
_SURELY = 4.0
_AGREES = 1e-4
"""Propensities are logged in float32, and computed again in float64."""


class UnsupportedError(Exception):
    """The log does not say what the policy would have earned, and why."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one estimator says of the value of a slate.

    effective_slates: (sum of weights)^2 / sum of squares, of the place where that is least.
    difference: to what logging earned, with an interval of its own. refused: why there is nothing;
    value and intervals are None then.
    """

    estimator: str
    value: float | None
    interval: Interval | None
    difference: float | None
    difference_interval: Interval | None
    effective_slates: float
    max_weight: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All estimates, and what logging itself earned a slate, with its interval.

    unmet: share of the target's slates that logging could never show, by the log; None: not known.
    mean_weight: of whole slates; 1 if propensities are right and support is full.
    """

    slates: int
    users: int
    logged: float
    logged_interval: Interval
    unmet: float | None
    mean_weight: float
    estimates: tuple[Estimate, ...]


def estimate(
    log: WeighedLog,
    estimators: Sequence[str] = tuple(ESTIMATORS),
    propensities_off: float | None = None,
) -> Report:
    """Return estimates of a policy's value, in the order given.

    propensities_off: how far those logged are from those computed again; None: it is not known.

    Raises:
        UnsupportedError: there are too few slates or users, or the policy shows what logging never
            did.

    """
    users = int(np.unique(log.users).size)
    if log.slates < LEAST_SLATES or users < LEAST_USERS:
        raise UnsupportedError(
            f"too few: {log.slates:,} slates of {users:,} users; at least {LEAST_SLATES} of "
            f"{LEAST_USERS} are needed"
        )
    unmet = _unmet(log)
    if unmet is not None and unmet > MOST_UNMET:
        raise UnsupportedError(
            f"support is missing: about {unmet:.1%} of the policy's slates hold an item where "
            "logging never showed it, and nothing is known of what these earn"
        )
    mean = ratio_of_means(log.cascade[:, -1], np.ones(log.slates), log.users)
    if mean.value < 1 - _SURELY * mean.standard_error - MOST_UNMET:
        raise UnsupportedError(_too_light(log, mean, propensities_off))
    rewards = log.rewards.sum(axis=1)
    logged = ratio_of_means(rewards, np.ones(log.slates), log.users)
    found = tuple(_estimate(log, name, rewards) for name in estimators)
    return Report(log.slates, users, logged.value, logged.interval, unmet, mean.value, found)


def _too_light(log: WeighedLog, mean: RatioOfMeans, propensities_off: float | None) -> str:
    """Return what may be the cause of a mean weight below 1."""
    said = (
        f"support is missing, or propensities are wrong: the mean weight is {mean.value:.3f} "
        f"+- {mean.standard_error:.3f}, and should be 1"
    )
    places = log.rewards.shape[1]
    if places > 1:
        said += (
            f". Or it is chance: weights over {places} places have long tails, and what is rare "
            f"and weighs most may not be among {log.slates:,} slates"
        )
        if propensities_off is not None and propensities_off <= _AGREES:
            said += (
                f". That it is, likely: propensities as computed again are those logged, within "
                f"{propensities_off:.1g}. Take a target nearer to the logging policy, as pl:T with "
                "T near its temperature"
            )
    return said


def _unmet(log: WeighedLog) -> float | None:
    """Return the probability that the target needs what logging never showed, at any place."""
    if np.isnan(log.unmet).any():
        return None
    above = np.column_stack([np.ones(log.slates), log.cascade[:, :-1]])
    return float((above * log.unmet).sum(axis=1).mean())


def _estimate(log: WeighedLog, name: str, rewards: Float64s) -> Estimate:
    try:
        terms = ESTIMATORS[name](log)
    except NotApplicableError as error:
        return Estimate(name, None, None, None, None, 0.0, 0.0, str(error))
    effective = effective_slates(terms.weights)
    largest = float(np.abs(terms.weights).max())
    if effective < LEAST_EFFECTIVE:
        why = f"{effective:.1f} slates in effect; at least {LEAST_EFFECTIVE:.0f} are needed"
        return Estimate(name, None, None, None, None, effective, largest, why)
    value = ratio_of_means(terms.numerator, terms.denominator, log.users)
    over = _difference(terms, value, rewards, log)
    return Estimate(
        name, value.value, value.interval, over.value, over.interval, effective, largest
    )


def _difference(
    terms: Terms, value: RatioOfMeans, rewards: Float64s, log: WeighedLog
) -> RatioOfMeans:
    """Return the value less what logging earned: on the same slates, so their chance is shared."""
    influence = (terms.numerator - value.value * terms.denominator) / terms.denominator.mean()
    return ratio_of_means(influence + value.value - rewards, np.ones(log.slates), log.users)


def effective_slates(weights: Float64s) -> float:
    """Return the least effective number of slates over columns of weights [n, m] (Kish 1965)."""
    squares = (weights**2).sum(axis=0)
    sums = weights.sum(axis=0) ** 2
    return float(np.divide(sums, squares, out=np.zeros_like(sums), where=squares > 0).min())
