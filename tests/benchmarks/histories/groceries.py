"""Reorders of groceries.

Households order about weekly, most of them on the same day. Each has twenty staples, drawn by
the popularity of products within the aisles that it uses, and a staple comes again after its own
interval (one to six weeks), give or take. A basket holds what is due, forgets some of it, and adds
a few products the household had not ordered before, half of them from the aisles of the basket.
Now and then a staple gives way to another product. All lines of an order have one time.
"""

from collections.abc import Iterator

import numpy as np

from services.evaluation.protocol import Repeats
from tests.benchmarks.histories.history import (
    DAY,
    Act,
    History,
    drawn,
    events_of,
    hour_of_waking,
    skewed,
)

_HOUSEHOLDS, _PRODUCTS, _AISLES, _WEEKS = 200, 3_000, 60, 16
_STAPLES = 20
_FORGOTTEN, _NEW_A_BASKET, _REPLACED = 0.15, 1.5, 0.01


def groceries(seed: int) -> History:
    """Return about 30,000 order lines of 3,000 products."""
    return History(
        "groceries", events_of(_acts(np.random.default_rng(seed)), "purchase"), Repeats.INCLUDE
    )


def _acts(chance: np.random.Generator) -> Iterator[Act]:
    aisle = chance.integers(_AISLES, size=_PRODUCTS)
    popular = skewed(chance, _PRODUCTS, 0.8)
    for household in range(_HOUSEHOLDS):
        used = chance.random(_AISLES) < 0.5
        liked = popular * np.where(used[aisle], 1.0, 0.05)
        staples = chance.choice(_PRODUCTS, _STAPLES, replace=False, p=liked / liked.sum())
        interval = chance.choice([7.0, 14.0, 21.0, 28.0, 42.0], _STAPLES,
                                 p=[0.35, 0.25, 0.15, 0.15, 0.1])  # fmt: skip
        due = chance.uniform(0.0, interval)
        weekday = int(chance.integers(7))
        begins = chance.integers(0, _WEEKS // 2) if chance.random() < 0.3 else 0
        for week in range(int(begins), _WEEKS):
            day = 7.0 * week + weekday + int(chance.choice([-1, 0, 0, 0, 1, 2]))
            if day < 0 or chance.random() < 0.1:
                continue
            moved = chance.random(_STAPLES) < _REPLACED
            staples[moved] = [drawn(chance, liked) for _ in range(int(moved.sum()))]
            in_basket = (due <= day + 3.0) & (chance.random(_STAPLES) >= _FORGOTTEN)
            due[in_basket] = day + interval[in_basket] * chance.uniform(0.8, 1.2, in_basket.sum())
            basket = staples[in_basket].tolist()
            for _ in range(int(chance.poisson(_NEW_A_BASKET))):
                near = liked
                if basket and chance.random() < 0.5:
                    near = popular * (aisle == aisle[basket[int(chance.integers(len(basket)))]])
                basket.append(drawn(chance, near))
            second = np.floor(day * DAY + hour_of_waking(chance))
            yield from (Act(float(second), household, item) for item in dict.fromkeys(basket))
