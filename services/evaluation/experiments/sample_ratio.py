"""Did each variant get its share of the users? If not, something loses users, and no number of the
experiment can be trusted.

The test may be looked at any time: a Bayes factor of a Dirichlet-multinomial against the planned
shares, which is a martingale from 1 while these hold, so that it ever reaches 1 / alpha with
probability alpha at most (Lindon & Malek 2022, "Anytime-valid inference for multinomial count
data", NeurIPS, arXiv 2011.03567). With counts n_v, shares p_v and a_v = STRENGTH p_v,

    log E = log G(sum a) - log G(sum a + n) + sum_v (log G(a_v + n_v) - log G(a_v) - n_v log p_v)

Where shares changed, each period has a factor of its own, and they multiply.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Chance of a false alarm, ever. A mismatch stops an experiment, so it is rarer than of a metric.
ALPHA = 0.001
# How near the planned shares a mismatch is sought: about 1 / sqrt(STRENGTH).
STRENGTH = 1000.0


@dataclass(frozen=True, slots=True)
class Period:
    """Users first exposed while shares stayed the same. counts: of each variant, >= 0; shares: what
    was planned, each above 0, sum 1, in the same order."""

    counts: tuple[int, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.shares):
            raise ValueError(f"{len(self.counts)} counts, but {len(self.shares)} shares")
        if min(self.counts) < 0 or min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError("counts must be >= 0; shares above 0, with a sum of 1")


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """log_evidence: log of the Bayes factor for a mismatch. mismatched: above 1 / alpha."""

    log_evidence: float
    mismatched: bool


def sample_ratio(periods: Sequence[Period], alpha: float = ALPHA) -> SampleRatio:
    """Return whether users went missing from a variant, over the periods of one experiment."""
    evidence = math.fsum(_log_evidence(period) for period in periods)
    return SampleRatio(evidence, evidence >= -math.log(alpha))


def _log_evidence(period: Period) -> float:
    whole = math.lgamma(STRENGTH) - math.lgamma(STRENGTH + sum(period.counts))
    return whole + math.fsum(
        math.lgamma(STRENGTH * share + count)
        - math.lgamma(STRENGTH * share)
        - count * math.log(share)
        for count, share in zip(period.counts, period.shares, strict=True)
    )
