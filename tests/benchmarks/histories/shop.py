"""Anonymous shop sessions.

A session has a purpose, one category, and goes from item to item: it looks at the last one again
or goes back to an earlier one to compare, follows what the page puts beside the item (six others of
its category, the first ones more often), sees another popular one of the category, or leaves for
another category. Popularity within the shop is skewed, new items appear all the time and are seen
more in their first days, and some shops drop old ones. Sessions come by day and overlap.

Lengths: 2 and more, geometric. Of a published sample of shop sessions (DIGINETICA) 18% of views are
on items that the session had before, of four views a session.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from services.evaluation.protocol import Repeats
from tests.benchmarks.histories.history import (
    DAY,
    Act,
    Doubles,
    History,
    drawn,
    events_of,
    hour_of_waking,
    skewed,
)

_BESIDE = 6
_BESIDE_SHARES: Doubles = np.array([6, 5, 4, 3, 2, 1], np.float64)


@dataclass(frozen=True, slots=True)
class ShopShape:
    """Shape of a shop.

    days: of the history. at_once: share of items there from the beginning; others are born evenly.
    skew: exponent of popularity. fresh: how much more a new item is seen; fresh_days: until that
    fell to 1/e. lives_days: until an item is gone. clicks: mean of a session. again, back, beside,
    popular: shares of steps; the rest leaves the category.
    """

    sessions: int
    items: int
    categories: int
    days: float = 30.0
    at_once: float = 0.3
    skew: float = 0.9
    fresh: float = 3.0
    fresh_days: float = 2.0
    lives_days: float = 1e9
    clicks: float = 4.5
    again: float = 0.12
    back: float = 0.10
    beside: float = 0.40
    popular: float = 0.28


SHAPES: Mapping[str, ShopShape] = MappingProxyType(
    {
        # A growing catalogue.
        "shop": ShopShape(sessions=5_000, items=2_000, categories=40),
        # Many items and hardly new ones; most of them are seen a few times.
        "wide": ShopShape(
            sessions=6_000, items=9_000, categories=120, at_once=0.9, skew=0.6, fresh=0.5,
            clicks=3.5,
        ),
        # Sales that last for three days; people come back to the same few things.
        "flash": ShopShape(
            sessions=3_500, items=900, categories=12, at_once=0.1, fresh=8.0, fresh_days=0.5,
            lives_days=3.0, clicks=7.0, again=0.2, back=0.25, beside=0.15, popular=0.3,
        ),
    }
)  # fmt: skip


def shop(seed: int, name: str = "shop") -> History:
    """Return 20,000 to 25,000 views of sessions of a shop of SHAPES."""
    acts = _acts(np.random.default_rng(seed), SHAPES[name])
    return History(
        f"{name}-{seed}", events_of(acts, "view", prefix="session:"), Repeats.INCLUDE, sessions=True
    )


def _acts(chance: np.random.Generator, shape: ShopShape) -> Iterator[Act]:
    category = chance.integers(shape.categories, size=shape.items)
    category[: shape.categories] = np.arange(shape.categories)
    own = skewed(chance, shape.items, shape.skew)
    of_category = skewed(chance, shape.categories, 0.7)
    born = chance.uniform(0.0, shape.days, shape.items)
    born[chance.random(shape.items) < shape.at_once] = -chance.exponential(5.0)
    members = [np.flatnonzero(category == number) for number in range(shape.categories)]
    beside = np.stack([chance.choice(members[one], _BESIDE) for one in category.tolist()])
    days = np.sort(chance.uniform(0.0, shape.days, shape.sessions)).astype(np.int64)
    for session, day in enumerate(days.tolist()):
        second = day * DAY + hour_of_waking(chance)
        age = second / DAY - born
        there = (age >= 0) & (age < shape.lives_days)
        if not there.any():
            continue
        weights = own * (1.0 + shape.fresh * np.exp(-np.maximum(age, 0) / shape.fresh_days)) * there
        seen: list[int] = []
        for _ in range(2 + int(chance.geometric(1.0 / (shape.clicks - 1.0))) - 1):
            item = _next(chance, shape, seen, category, weights, of_category, beside)
            seen.append(item)
            yield Act(round(second, 3), session, item)
            second += float(chance.exponential(45.0)) + 2.0


def _next(
    chance: np.random.Generator,
    shape: ShopShape,
    seen: list[int],
    category: np.ndarray,
    weights: Doubles,
    of_category: Doubles,
    beside: np.ndarray,
) -> int:
    purpose = of_category[category] * weights
    if not seen:
        return drawn(chance, purpose)
    last = seen[-1]
    way = chance.random()
    if way < shape.again:
        return last
    way -= shape.again
    if way < shape.back:
        return seen[int(chance.integers(len(seen)))]
    way -= shape.back
    if way < shape.beside:
        others = beside[last]
        shown = _BESIDE_SHARES * (weights[others] > 0)
        if shown.any():
            return int(others[drawn(chance, shown)])
    elif way < shape.beside + shape.popular:
        alike = weights * (category == category[last])
        if alike.any():
            return drawn(chance, alike)
    return drawn(chance, purpose)
