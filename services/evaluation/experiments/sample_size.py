"""How many units a fixed-horizon test would need: what an experiment is planned for."""

import math
from statistics import NormalDist


def fixed_horizon(
    effect: float, control_variance: float, treatment_variance: float, alpha: float, power: float
) -> int:
    """Return the units of two equal variants together that a two-sided z-test needs.

    2 (z(1 - alpha/2) + z(power))^2 (s_c^2 + s_t^2) / effect^2, the usual normal approximation.
    effect: difference of means to be found, not 0. Raises ValueError for an effect of 0.
    """
    if effect == 0:
        raise ValueError("no sample size finds an effect of 0")
    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
    return math.ceil(2 * quantiles**2 * (control_variance + treatment_variance) / effect**2)


def planned_users(
    mean: float, lift: float, deviation: float | None, variants: int, alpha: float, power: float
) -> int:
    """Return the users of all `variants`, of equal weights, that find a relative lift of a mean.

    deviation: standard deviation over users; None: the metric is 0 or 1. alpha: over all variants.
    Raises ValueError where there is nothing to find, or a share would not be one.
    """
    other = mean * (1 + lift)
    if deviation is None:
        if not (0 <= mean <= 1 and 0 <= other <= 1):
            raise ValueError("a share, and what becomes of it, must be 0 to 1: give a deviation")
        variances = mean * (1 - mean), other * (1 - other)
    else:
        variances = deviation**2, deviation**2
    of_two = fixed_horizon(other - mean, *variances, alpha / (variants - 1), power)
    return math.ceil(of_two * variants / 2)
