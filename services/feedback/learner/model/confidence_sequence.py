"""Which of two is better, on a stream of paired differences, decided at any time.

A confidence sequence: with probability 1 - ALPHA the true mean lies within the interval at *all*
times at once, so looking after every step and stopping when it is decided is no cheating.

Source: the predictable plug-in empirical Bernstein confidence sequence, Waudby-Smith & Ramdas 2023,
"Estimating means of bounded random variables by betting" (arXiv 2010.09686), theorem 2. For x in
[0, 1], mu_t and s2_t estimates of mean and variance from the first t values,

    lambda_t = min( sqrt(2 log(2 / a) / (s2_{t-1} t log(1 + t))), 1/2 )
    centre   = sum lambda_i x_i / sum lambda_i
    radius   = (log(2 / a) + sum 4 (x_i - mu_{i-1})^2 psi(lambda_i)) / sum lambda_i
    psi(l)   = (-log(1 - l) - l) / 4

It holds without any distribution, for values that depend on the past (what is covered then is the
weighted mean of conditional means), and is as narrow as the variance allows: the normal mixture
bound of sub-Gaussian values (Robbins 1970; Howard et al. 2021, arXiv 1810.08240, eq. 14), which
knows only the range, would need about fifteen times the events at the variances that rankings have.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ALPHA = 0.01
_LARGEST_WEIGHT = 0.5
_LOG = math.log(2 / ALPHA)


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """Running sums over differences in [-1, 1]; those of the confidence sequence are over
    (difference + 1) / 2.

    count: differences. total: their sum. spread: sum of squared distances to the mean before each.
    weight, weighted: sums of lambda and of lambda times value. variance: of the variance terms.
    """

    count: int = 0
    total: float = 0.0
    spread: float = 0.0
    weight: float = 0.0
    weighted: float = 0.0
    variance: float = 0.0

    def with_differences(self, differences: npt.NDArray[np.float64]) -> "ConfidenceSequence":
        """Return the sums after differences [n], in order."""
        count, spread = self.count, self.spread
        weight, weighted, variance = self.weight, self.weighted, self.variance
        total = self.total
        for difference in differences.tolist():
            value = (difference + 1) / 2
            mean = (0.5 + (total + count) / 2) / (count + 1)
            variance_so_far = (0.25 + spread) / (count + 1)
            count += 1
            own = min(
                math.sqrt(2 * _LOG / (variance_so_far * count * math.log(1 + count))),
                _LARGEST_WEIGHT,
            )
            distance = (value - mean) ** 2
            weight += own
            weighted += own * value
            variance += distance * (-math.log1p(-own) - own)
            spread += distance
            total += difference
        return ConfidenceSequence(count, total, spread, weight, weighted, variance)

    @property
    def mean(self) -> float:
        """Weighted mean of the differences, the centre of the interval; 0 without any."""
        return 2 * self.weighted / self.weight - 1 if self.weight else 0.0

    def interval(self) -> tuple[float, float]:
        """Return the ends of the confidence sequence of the mean difference, within [-1, 1]."""
        if not self.weight:
            return -1.0, 1.0
        radius = 2 * (_LOG + self.variance) / self.weight
        return max(-1.0, self.mean - radius), min(1.0, self.mean + radius)


NO_CONFIDENCE = ConfidenceSequence()
