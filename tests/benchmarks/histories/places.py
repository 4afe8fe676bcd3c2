"""Check-ins with places.

A city of 6,000 places in 25 quarters, some places much better known than others. People have a home
and a place of work, and are near one of them by the hour. Six check-ins in ten are habit: a place
that the person was at before, more likely the more often and the nearer. The others are new: near
where the person is (falling with the square of distance beyond 300 m), and better known ones more.
Check-ins come one to five a day, on some days none, an hour or more apart.
"""

from collections.abc import Iterator

import numpy as np

from services.evaluation.protocol import Repeats
from tests.benchmarks.histories.history import DAY, Act, Doubles, History, drawn, events_of, skewed

_PEOPLE, _PLACES, _QUARTERS, _DAYS = 350, 6_000, 25, 60
_CITY_M, _QUARTER_M, _NEAR_M = 12_000.0, 700.0, 300.0
_HABIT, _ACTIVE = 0.6, 0.45


def places(seed: int, repeats: Repeats = Repeats.INCLUDE) -> History:
    """Return about 26,000 check-ins; with `repeats` excluded only first visits are ranked."""
    name = "check-ins" if repeats is Repeats.INCLUDE else "check-ins, new places"
    return History(name, events_of(_acts(np.random.default_rng(seed)), "visit"), repeats)


def _acts(chance: np.random.Generator) -> Iterator[Act]:
    quarters = chance.uniform(0.0, _CITY_M, (_QUARTERS, 2))
    quarter = chance.choice(_QUARTERS, _PLACES, p=skewed(chance, _QUARTERS, 0.7))
    spots: Doubles = quarters[quarter] + chance.normal(0.0, _QUARTER_M, (_PLACES, 2))
    known = skewed(chance, _PLACES, 0.8)
    for person in range(_PEOPLE):
        near_home, near_work = (_near(chance, spots, quarters) for _ in range(2))
        visits = np.zeros(_PLACES)
        for day in range(_DAYS):
            if chance.random() >= _ACTIVE:
                continue
            hour = chance.uniform(7.0, 12.0)
            for _ in range(int(chance.integers(1, 6))):
                if hour >= 24.0:
                    break
                at_work = day % 7 < 5 and 8.5 <= hour < 17.5
                near = near_work if at_work else near_home
                habit = visits.any() and chance.random() < _HABIT
                weights = visits * np.sqrt(near) if habit else known * near
                place = drawn(chance, weights)
                visits[place] += 1.0
                yield Act(np.floor(day * DAY + hour * 3600.0), person, place)
                hour += float(chance.exponential(2.5)) + 1.0


def _near(chance: np.random.Generator, spots: Doubles, quarters: Doubles) -> Doubles:
    """Return how near each place is to somewhere in a quarter, 0 to 1."""
    spot = quarters[int(chance.integers(_QUARTERS))] + chance.normal(0.0, _QUARTER_M, 2)
    near: Doubles = 1.0 / (1.0 + (np.linalg.norm(spots - spot, axis=1) / _NEAR_M) ** 2)
    return near
