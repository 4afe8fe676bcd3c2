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
