"""How far a standard Brownian motion may go, at all times at once.

If W is one, exp(g W_t - g^2 t / 2) is a martingale from 1 for every g, and so is its mean over any
distribution of g; by Ville's inequality it ever reaches 1 / alpha with probability alpha at most
(Robbins 1970, "Statistical methods related to the law of the iterated logarithm"). Here g is
normal with mean +m or -m, half of the time each, and standard deviation s, which gives

    (1 + t s^2)^(-1/2) exp((w^2 s^2 - m^2 t) / (2 (1 + t s^2))) cosh(m w / (1 + t s^2)) < 1 / alpha

With cosh(x) >= exp(x) / 2, so on the safe side, the largest |w| is

    b(t) = (sqrt(m^2 + s^2 (m^2 t + 2 (1 + t s^2) log(2 sqrt(1 + t s^2) / alpha))) - m) / s^2

b(t) / t falls to 0: every effect is found at last. With m = 0 and without the factor 2 this is
Robbins' normal mixture; mean m makes it lowest where an experiment was planned to end, so that an
effect of the planned size is found with fewer units, and others with a little more.
"""

from statistics import NormalDist

import numpy as np

from services.evaluation.experiments.sums import Floats

_POWER = 0.8
# Standard deviation of the drift over its mean: an effect of half or twice the planned is in reach.
_SPREAD = 0.5


def planned_drift(planned: float, alpha: float) -> float:
    """Return the effect, in standard deviations of a unit, that a fixed-horizon two-sided test at
    level alpha finds with `planned` units at a power of 80%: (z(1 - alpha/2) + z(.8)) / sqrt(n)."""
    normal = NormalDist()
    return float(
        (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(_POWER)) / np.sqrt(planned),
    )


def boundary(times: Floats, planned: float, alpha: float) -> Floats:
    """Return b(t) for times > 0 (units so far), of any shape.

    planned: units that the experiment was planned for, > 0; fixed before the first is seen.
    alpha: chance of ever going beyond, in (0, 1). Raises ValueError for others.
    """
    if planned <= 0 or not 0 < alpha < 1:
        raise ValueError("planned must be above 0 and alpha between 0 and 1")
    mean = planned_drift(planned, alpha)
    variance = (_SPREAD * mean) ** 2
    wider = 1 + times * variance
    tail = np.log(2 * np.sqrt(wider) / alpha)
    root = np.sqrt(mean**2 + variance * (mean**2 * times + 2 * wider * tail))
    found: Floats = (root - mean) / variance
    return found
