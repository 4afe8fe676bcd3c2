"""How a user behaves: recency, frequency, monetary value and habits, from their events alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.feed.entries import Flags, Ints
from services.profile.domain.history import History

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_PAUSE_US = 30 * 60_000_000
"""What ends a visit."""
_FIRST_WEEKDAY = 3
"""Of 1970-01-01, a Thursday, counted from Monday."""


@dataclass(frozen=True, slots=True)
class TypeHabits:
    """Of one type of event; see harken.profile.v1.TypeBehaviour. Times are unix microseconds."""

    type: str
    events: int
    first_us: int
    last_us: int
    active_days: int
    events_7_days: int
    events_30_days: int
    value_sum: float


@dataclass(frozen=True, slots=True)
class Habits:
    """See harken.profile.v1.Behaviour."""

    types: list[TypeHabits]
    active_days: int
    sessions: int
    events_by_hour: list[int]
    events_by_weekday: list[int]


def habits_of(history: History, types: Sequence[str], now_us: int) -> Habits:
    """Return the habits of a user with one event at least. now_us: unix microseconds."""
    events, times = history.counts(), history.times_us
    days = times // _DAY_US
    found = [
        _type_habits(types[code], history, history.types == code, now_us)
        for code in np.unique(history.types).tolist()
    ]
    return Habits(
        sorted(found, key=lambda one: (-one.events, one.type)),
        np.unique(days).size,
        1 + int((np.diff(np.sort(times)) > _PAUSE_US).sum()),
        _sums(times // _HOUR_US % 24, events, 24),
        _sums((days + _FIRST_WEEKDAY) % 7, events, 7),
    )


def _type_habits(name: str, history: History, mine: Flags, now_us: int) -> TypeHabits:
    events, times = history.counts()[mine], history.times_us[mine]
    age = now_us - times
    return TypeHabits(
        name,
        int(events.sum()),
        int(times.min()),
        int(times.max()),
        np.unique(times // _DAY_US).size,
        int(events[age < 7 * _DAY_US].sum()),
        int(events[age < 30 * _DAY_US].sum()),
        float(np.nansum(history.values[mine])),
    )


def _sums(groups: Ints, events: Ints, size: int) -> list[int]:
    return [int(one) for one in np.bincount(groups, events, size).tolist()]
