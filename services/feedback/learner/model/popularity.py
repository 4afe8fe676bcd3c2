"""Popularity that fades with event time, and plain counts.

An item's faded mass at time ``t`` is ``sum_e w_e * 2 ** ((t_e - t) / half_life)``. All items
share ``t``, so ranking needs only ``level = log2 sum_e w_e * 2 ** (t_e / half_life)``: one number
per item that does not depend on "now", never underflows (old items keep their order for ever),
and to which late or out-of-order events add like any other. float64 keeps it: with Unix seconds
and a half-life of one minute a level is about 3e7, its resolution 4e-9 (in half-lives).
Source: forward decay, Cormode et al. 2009 (ICDE), kept in the log2 domain.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.popularity_half_life import HALF_LIFE_SECONDS
from services.common.runs import grouped


@dataclass(frozen=True)
class PopularityConfig:
    """half_life_s: seconds of event time after which an event counts half, > 0."""

    half_life_s: float = HALF_LIFE_SECONDS


def empty_levels(n_items: int) -> npt.NDArray[np.float64]:
    """Levels [n_items] of items without events: minus infinity."""
    return np.full(n_items, -np.inf, np.float64)


def add_events(
    levels: npt.NDArray[np.float64],
    items: npt.NDArray[np.integer],
    times_s: npt.NDArray[np.floating] | npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating],
    config: PopularityConfig,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """New levels of the items that a batch touches; ``levels`` itself is left as it is.

    levels: [n_items] log2. items: [n] ordinals. times_s: [n] event times in Unix seconds, any
    order. weights: [n], events of weight <= 0 count nothing.
    Returns (rows ascending [m], levels [m]), to be folded by ``levels[rows] = new``.
    """
    counted = np.asarray(weights) > 0
    rows, inverse = grouped(np.asarray(items)[counted])
    time = np.asarray(times_s, dtype=np.float64)[counted]
    exponent = time / config.half_life_s + np.log2(np.asarray(weights, np.float64)[counted])
    held = levels[rows]
    peak = held.copy()
    np.maximum.at(peak, inverse, exponent)
    mass = np.exp2(held - peak)
    mass += np.bincount(inverse, weights=np.exp2(exponent - peak[inverse]), minlength=rows.size)
    return rows.astype(np.int64), peak + np.log2(mass)


def add_counts(
    counts: npt.NDArray[np.float64],
    items: npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """New plain counts of the touched items: one per event of weight > 0, whatever the weight.

    counts: [n_items] >= 0. Returns (rows ascending, new counts); ``counts`` is left as it is.
    """
    rows, inverse = grouped(np.asarray(items)[np.asarray(weights) > 0])
    return rows.astype(np.int64), counts[rows] + np.bincount(inverse, minlength=rows.size)


def without_event(
    level: float, count: float, time_s: float, weight: float, config: PopularityConfig
) -> float:
    """Return the level of an item without one of its events, exact up to rounding.

    count: events of positive weight that are left; without any, the level is minus infinity.
    """
    if count <= 0:
        return -np.inf
    exponent = time_s / config.half_life_s + np.log2(weight)
    share = 1.0 - float(np.exp2(exponent - level))
    # Rounding may say that nothing is left, while there are events.
    return float(level + np.log2(max(share, 1e-12)))
