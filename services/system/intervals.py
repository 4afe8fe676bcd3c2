"""Confidence intervals by resampling users.

The events of one user hang together, so users are drawn with replacement, not events (cluster
bootstrap: Davison & Hinkley 1997, section 3.8; percentile intervals: Efron & Tibshirani 1993,
section 13.3).
All arms are evaluated on the same draws, so ratios of arms are paired.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_DRAWS_AT_ONCE = 64
Doubles = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An interval, of 95% where nothing else is said."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class UserDraws:
    """Which users each resample holds, by the sums over their events.

    sums [resamples, columns]: of each column over the events of the users drawn. counts
    [resamples]: how many events these are.
    """

    sums: Doubles
    counts: Doubles

    def mean(self, column: int) -> Interval | None:
        """Return the interval of a column's mean per event; None without events."""
        there = self.counts > 0
        return _interval(self.sums[there, column] / self.counts[there])

    def ratio(self, column: int, base: int, percent: float = 95.0) -> Interval | None:
        """Return the interval of the ratio of two columns' means; None where the base is 0."""
        there = self.sums[:, base] > 0
        if np.count_nonzero(there) < 0.9 * there.size:
            return None
        return _interval(self.sums[there, column] / self.sums[there, base], percent)


def draw_users(
    users: npt.NDArray[np.integer], values: Doubles, resamples: int, seed: int
) -> UserDraws:
    """Resample the users of events. users [n]; values [n, columns], one row per event.

    As many users are drawn as there are, each time.
    """
    _, row = np.unique(users, return_inverse=True)
    count = int(row.max()) + 1 if row.size else 0
    if count == 0:
        return UserDraws(np.zeros((resamples, values.shape[1])), np.zeros(resamples))
    own = np.stack([np.bincount(row, column, minlength=count) for column in values.T], axis=1)
    events = np.bincount(row, minlength=count).astype(np.float64)
    together = np.column_stack([own, events])
    generator = np.random.default_rng(seed)
    shares = np.full(count, 1.0 / count)
    parts = [
        generator.multinomial(count, shares, size=min(_DRAWS_AT_ONCE, resamples - begin)) @ together
        for begin in range(0, resamples, _DRAWS_AT_ONCE)
    ]
    drawn = np.concatenate(parts).astype(np.float64)
    return UserDraws(drawn[:, :-1], drawn[:, -1])


def _interval(values: Doubles, percent: float = 95.0) -> Interval | None:
    if values.size == 0:
        return None
    low, high = np.percentile(values, [(100 - percent) / 2, (100 + percent) / 2])
    return Interval(float(low), float(high))
