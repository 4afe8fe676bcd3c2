"""Percentiles of measured durations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of `samples` values, in the unit of the values."""

    samples: int
    p50: float
    p95: float
    p99: float
    largest: float


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Return percentiles by nearest rank (each is a value that was measured); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Percentiles(len(ordered), at(0.50), at(0.95), at(0.99), ordered[-1])
