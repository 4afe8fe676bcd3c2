"""Metrics that an experiment must not harm, whatever it gains elsewhere."""

from dataclasses import dataclass
from enum import Enum

from services.evaluation.experiments.difference import Difference


class Verdict(Enum):
    """What the interval says: HARMED and SAFE hold at every look, as the interval does."""

    HARMED = "harmed"
    SAFE = "safe"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """margin: loss that is tolerated, in the metric's unit, >= 0. more_is_better: False for
    latencies, errors and the like."""

    margin: float
    more_is_better: bool = True

    def __post_init__(self) -> None:
        if not self.margin >= 0:
            raise ValueError("the margin of a guardrail must be at least 0")

    def verdict(self, found: Difference) -> Verdict:
        """Judge one difference (of shape ()): HARMED where the whole interval is beyond the margin,
        SAFE where all of it is within, UNDECIDED else."""
        low, high = float(found.low), float(found.high)
        least, most = (low, high) if self.more_is_better else (-high, -low)
        if most < -self.margin:
            return Verdict.HARMED
        return Verdict.SAFE if least > -self.margin else Verdict.UNDECIDED
