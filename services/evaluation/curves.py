"""Figures over time and over age of state, for plots and JSON."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.evaluation.metrics import gains
from services.evaluation.outcomes import Outcomes

AGES: Mapping[str, str] = MappingProxyType(
    {"full": "immediate", "hourly": "hour", "daily": "day", "frozen_state": "frozen"}
)
"""How old the state of an arm is, freshest first."""

_POINTS = 200


class Curve(NamedTuple):
    """Cumulative mean NDCG: values [points] over the first `events` [points] scored events."""

    events: npt.NDArray[np.int64]
    times_us: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def cumulative_ndcg(outcomes: Outcomes, cutoff: int) -> dict[str, Curve]:
    """Return the curve of each arm, at most 200 points."""
    count = outcomes.users.size
    if count == 0:
        return {}
    places = np.unique(np.linspace(1, count, min(_POINTS, count)).round().astype(np.int64)) - 1
    curves = {}
    for arm in outcomes.arms:
        sums = np.cumsum(gains(arm.ranks, cutoff)[:, 1])
        values = sums[places] / (places + 1)
        curves[arm.name] = Curve(places + 1, outcomes.times_us[places], values)
    return curves


def staleness(ndcg: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return (age of state, NDCG), freshest first, of the arms that differ in nothing else."""
    return [(age, ndcg[name]) for name, age in AGES.items() if name in ndcg]
