"""Popularity that fades with time and learns online: events count 2^(-age / half-life).

The half-life is chosen on the last part of training, from a day to a year.
"""

import numpy as np
import numpy.typing as npt

from services.evaluation.baselines.registry import BaselineContext
from services.evaluation.baselines.train_part import TrainPart
from services.system.timeline import Codes, Ints, Timeline

_DAY_US = 86_400_000_000
HALF_LIVES_US = tuple(days * _DAY_US for days in (0.25, 1, 4, 16, 64, 256))


class DecayedPopularity:
    """levels [items]: log2 of the sum over events of 2^(time / half-life); order at any time."""

    names: tuple[str, ...] = ("decayed_popularity",)

    def __init__(self, train: TrainPart, half_life_us: float, timeline: Timeline) -> None:
        self._half_life_us = half_life_us
        self._timeline = timeline
        self._levels = np.full(train.n_items, -np.inf)
        add(self._levels, train.items, train.times_us / half_life_us)

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        """Return the levels."""
        return self._levels

    def reveal(self, events: Ints) -> None:
        """See Learner."""
        positive = events[self._timeline.weights[events] > 0]
        columns = self._timeline.events
        add(self._levels, columns.items[positive], columns.times_us[positive] / self._half_life_us)


def add(levels: npt.NDArray[np.float64], items: Codes, exponents: npt.NDArray[np.float64]) -> None:
    """Add 2^exponent to the sums of items, in place."""
    np.logaddexp2.at(levels, items, exponents)


def choose_half_life(train: TrainPart) -> float:
    """Return the half-life with the best mean reciprocal rank on the last tenth of training.

    Everybody gets the same order here, seen items and all; it is redone a hundred times.
    """
    begin = len(train) * 9 // 10
    best, best_value = HALF_LIVES_US[-1], -1.0
    for half_life in HALF_LIVES_US:
        levels = np.full(train.n_items, -np.inf)
        add(levels, train.items[:begin], train.times_us[:begin] / half_life)
        value = 0.0
        for part in np.array_split(np.arange(begin, len(train)), 100):
            if part.size == 0:
                continue
            order = np.argsort(-levels, kind="stable")
            rank = np.empty(train.n_items)
            rank[order] = np.arange(1, train.n_items + 1)
            value += float((1 / rank[train.items[part]]).sum())
            add(levels, train.items[part], train.times_us[part] / half_life)
        if value > best_value:
            best, best_value = half_life, value
    return best


def fit(train: TrainPart, context: BaselineContext) -> DecayedPopularity:
    """Return the baseline, with the half-life that was best at the end of training."""
    half_life = choose_half_life(train)
    context.say(f"half-life of {half_life / _DAY_US:g} days")
    return DecayedPopularity(train, half_life, context.timeline)
