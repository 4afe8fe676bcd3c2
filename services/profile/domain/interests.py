"""What a user likes, by the categories and tags of the items of their events."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.profile.domain.history import History, by_time

MAX_ITEMS = 1000
"""Items that interests are from: those of the latest events."""
MAX_INTERESTS = 50
"""Of categories and of tags."""
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Labels:
    """What the catalogue says an item is about."""

    categories: Sequence[str]
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class HalfLives:
    """Of short-term and long-term interests, in days, above 0."""

    short_days: float
    long_days: float


@dataclass(frozen=True, slots=True)
class Interest:
    """See harken.profile.v1.Interest."""

    name: str
    short_term: float
    long_term: float
    events: int
    negative_events: int


@dataclass(slots=True)
class _Sum:
    short: float = 0.0
    long: float = 0.0
    events: int = 0
    negative: int = 0


def newest_items(history: History) -> list[str]:
    """Return the items of the latest events, at most MAX_ITEMS, the latest first."""
    found: dict[str, None] = {}
    for place in by_time(history)[::-1].tolist():
        found[history.items[place]] = None
        if len(found) == MAX_ITEMS:
            break
    return list(found)


def interests_of(
    history: History, labels: Mapping[str, Labels], now_us: int, half_lives: HalfLives
) -> tuple[list[Interest], list[Interest]]:
    """Return interests in categories and in tags, the greatest long-term one first.

    labels: by item; events of other items do not count. now_us: unix microseconds; an event that is
    later counts as one of now.
    """
    ages = np.maximum(now_us - history.times_us, 0) / _DAY_US
    positive = np.maximum(history.weights.astype(np.float64), 0.0) * history.counts()
    # Parts of a sum are the same whatever all are multiplied by: so none is too small to be told.
    youngest = ages.min() if ages.size else 0.0
    short = positive * np.exp2(-(ages - youngest) / half_lives.short_days)
    long = positive * np.exp2(-(ages - youngest) / half_lives.long_days)
    categories: dict[str, _Sum] = defaultdict(_Sum)
    tags: dict[str, _Sum] = defaultdict(_Sum)
    rows = zip(
        history.items, history.weights.tolist(), history.counts().tolist(), short.tolist(),
        long.tolist(), strict=True,
    )  # fmt: skip
    for item, weight, count, soon, late in rows:
        own = labels.get(item)
        if own is None:
            continue
        for sums, names in ((categories, own.categories), (tags, own.tags)):
            for name in dict.fromkeys(names):
                one = sums[name]
                one.short += soon
                one.long += late
                one.events += count if weight > 0 else 0
                one.negative += count if weight < 0 else 0
    return _greatest(categories), _greatest(tags)


def _greatest(sums: Mapping[str, _Sum]) -> list[Interest]:
    short = sum(one.short for one in sums.values()) or 1.0
    long = sum(one.long for one in sums.values()) or 1.0
    found = [
        Interest(name, one.short / short, one.long / long, one.events, one.negative)
        for name, one in sums.items()
        if one.events or one.negative
    ]
    return sorted(found, key=lambda one: (-one.long_term, one.name))[:MAX_INTERESTS]
