"""Intervals of a mean, or of a ratio of means, of skewed values that hang together by user.

What an estimator adds up has a long right tail: rewards are rare, weights large. The usual
interval, mean +- z standard errors, then misses the truth on one side too often, by an error of
order n^-1/2 that is the skewness's. So the studentised mean is transformed by Hall's monotone
cubic, which takes skewness out (Hall, "On the removal of skewness by transformation", JRSS B 54,
1992): the error is of order n^-1, as with the bootstrap of studentised means (Efron and Tibshirani
1993, section 12.5), but nothing is drawn: the same log gives the same interval, in one pass.

Slates of one user hang together: users are the units, by sums of the slates' influence on the
estimate (of a ratio by the delta method; cluster-robust variance: Liang and Zeger 1986).
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float64s
from services.system.intervals import Interval

_FLAT = 1e-8


@dataclass(frozen=True, slots=True)
class RatioOfMeans:
    """sum(numerator) / sum(denominator), its standard error, and its interval of 95%."""

    value: float
    standard_error: float
    interval: Interval


def ratio_of_means(
    numerator: Float64s, denominator: Float64s, users: npt.NDArray[np.integer]
) -> RatioOfMeans:
    """Return the ratio of two means over slates [n], the denominator's above 0.

    users [n]: numbers from 0, of at least two different ones.
    """
    total = float(denominator.sum())
    value = float(numerator.sum()) / total
    own = np.bincount(users, numerator - value * denominator)
    own = own[np.bincount(users) > 0]
    units = own.size
    centred = own - own.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    error = float(np.sqrt(units / (units - 1) * np.sum(centred**2))) / total
    skewness = 0.0 if spread == 0 else float(np.mean(centred**3)) / spread**3
    z = _t_quantile(0.975, units - 1)
    low, high = (value - error * _untransformed(y, skewness / np.sqrt(units)) for y in (z, -z))
    return RatioOfMeans(value, error, Interval(low, high))


def _untransformed(y: float, skew: float) -> float:
    """Return the studentised mean that Hall's transformation takes to y; skew: skewness / sqrt(n).

    g(t) = ((1 + skew * t / 3)^3 - 1) / skew + skew / 6.
    """
    if abs(skew) < _FLAT:
        return y
    return float(3 * (np.cbrt(1 + skew * (y - skew / 6)) - 1) / skew)


def _t_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of Student's t (Abramowitz and Stegun 26.7.5; from 10 degrees on within
    .001).
    """
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
