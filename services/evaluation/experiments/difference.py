"""How much better a variant is than the control, with an interval that holds at every look.

With n_v units, mean y_v and variance s_v^2 in each variant v, t = n_c + n_t units in all,

    difference = y_t - y_c        variance V = s_t^2 / n_t + s_c^2 / n_c
    interval   = difference -+ sqrt(V / t) b(t)         (b: boundary.py)

It is an asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024,
"Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52,
arXiv 2103.06476): it holds at all times at once as sample sizes grow, for any metric of finite
variance; the confidence sequence of promotion holds at any size, but for paired differences in
[-1, 1] alone. Until each variant has LEAST units, and while a metric never varied, the interval is
infinite: nothing is known yet of how far a mean can be off.

CUPED (Deng, Xu, Kohavi & Walker 2013, "Improving the sensitivity of online controlled experiments
by utilizing pre-experiment data", WSDM): with x what was known of a unit before its exposure, and
S a sum of squares or products about the means of the own variant, summed over both,

    theta = S_xy / S_xx     y' = y - theta (x - mean of x over both)

takes y's place. x cannot depend on the variant, so the effect stays what it was; the variance
becomes (1 - correlation^2) of what it was. A covariate that does not vary changes nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.evaluation.experiments.boundary import boundary
from services.evaluation.experiments.sums import Floats, Sums

ALPHA = 0.05
LEAST = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of a variant minus that of the control, in the metric's unit; shapes as of the sums.

    control: mean of the control, as it was measured. mean: the difference, after CUPED.
    low, high: ends of the interval, -inf and inf while there is none. theta: weight of the
    covariate, 0 without.
    """

    control: Floats
    mean: Floats
    low: Floats
    high: Floats
    theta: Floats

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Whether the interval excludes 0."""
        return np.asarray((self.low > 0) | (self.high < 0))


def difference(control: Sums, treatment: Sums, planned: float, alpha: float = ALPHA) -> Difference:
    """Compare a variant with the control.

    planned: units of both that the experiment was planned for (sample_size.py), fixed before the
    start. alpha: chance that the interval ever misses; for k variants against one control give
    each alpha / k. A side without units has mean 0, and the interval is infinite.
    """
    theta = _theta(control, treatment)
    (control_mean, control_variance), (treatment_mean, treatment_variance) = (
        _adjusted(control, theta),
        _adjusted(treatment, theta),
    )
    variance = control_variance + treatment_variance
    count = control.count + treatment.count
    known = (np.minimum(control.count, treatment.count) >= LEAST) & (variance > 0)
    times = np.maximum(count, 1.0)
    radius = np.where(known, np.sqrt(variance / times) * boundary(times, planned, alpha), np.inf)
    mean = treatment_mean - control_mean
    return Difference(
        control.value / np.maximum(control.count, 1.0), mean, mean - radius, mean + radius, theta
    )


def _theta(control: Sums, treatment: Sums) -> Floats:
    squares, products = (
        _covariate_squares(control) + _covariate_squares(treatment),
        _products(control) + _products(treatment),
    )
    # Rounding leaves a little of squares about a constant: relative to the raw ones it is nothing.
    varies = squares > 1e-12 * (control.squared_covariate + treatment.squared_covariate)
    return np.where(varies, products / np.where(varies, squares, 1.0), 0.0)


def _adjusted(sums: Sums, theta: Floats) -> tuple[Floats, Floats]:
    """Return mean of y - theta x, and the variance of that mean."""
    count = np.maximum(sums.count, 1.0)
    squares = (
        _about(sums, sums.value, sums.value, sums.squared_value)
        - 2 * theta * _products(sums)
        + theta**2 * _covariate_squares(sums)
    )
    # As above: what rounding leaves of a metric that never varied counts as no variance.
    squares = np.where(squares > 1e-12 * sums.squared_value, squares, 0.0)
    mean = (sums.value - theta * sums.covariate) / count
    return mean, squares / np.maximum(count - 1, 1.0) / count


def _covariate_squares(sums: Sums) -> Floats:
    return _about(sums, sums.covariate, sums.covariate, sums.squared_covariate)


def _products(sums: Sums) -> Floats:
    return _about(sums, sums.value, sums.covariate, sums.product)


def _about(sums: Sums, left: Floats, right: Floats, product: Floats) -> Floats:
    """Return a sum of products about the means from the raw sums."""
    about: Floats = product - left * right / np.maximum(sums.count, 1.0)
    return about
