"""Every slate that a small pool can give, and how likely it is: by plain Python, from the rules.

This is what the rules mean, written down the slow way: all sets of items that could still come are
tried. Pools of five items and slates of three are what it is for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import erfc, exp, log, sqrt

import numpy as np


@dataclass(frozen=True)
class Wishes:
    """What is wanted of slates of `places` items. Sets are of items.

    pins: which item stands at a place. at_least, at_most: (items, count), those first go first.
    caps: (value of each item or None, most). share: of places for new items.
    policy: (name, its number); draws: of each draw, utilities.
    gram: how alike items are, within det; power: of what diversity multiplies odds by.
    """

    utilities: Sequence[float]
    places: int
    policy: tuple[str, float]
    pins: dict[int, int]
    at_most: Sequence[tuple[set[int], int]] = ()
    caps: Sequence[tuple[Sequence[str | None], int]] = ()
    at_least: Sequence[tuple[set[int], int]] = ()
    new: frozenset[int] = frozenset()
    share: float = 0.0
    draws: Sequence[Sequence[float]] = ()
    gram: np.ndarray | None = None
    power: float = 0.0

    def limits(self) -> list[tuple[list[set[int]], int]]:
        """Return (sets of items, most of each): a cap is one set for each value."""
        limits = [([items], most) for items, most in self.at_most]
        for values, most in self.caps:
            kinds = [
                {item for item, value in enumerate(values) if value == kind}
                for kind in sorted({value for value in values if value is not None})
            ]
            limits.append((kinds, most))
        return limits


def slates(wishes: Wishes) -> dict[tuple[int, ...], list[float]]:
    """Return each slate that can be, with the propensity of each of its places."""
    found: dict[tuple[int, ...], list[float]] = {}

    def grow(above: tuple[int, ...], chances: list[float]) -> None:
        if len(above) == wishes.places:
            found[above] = chances
            return
        for item, chance in conditional(wishes, above).items():
            if chance > 0:
                grow((*above, item), [*chances, chance])

    grow((), [])
    return found


def conditional(wishes: Wishes, above: tuple[int, ...]) -> dict[int, float]:
    """Return the probability of each item at the place below `above`."""
    place = len(above)
    if place in wishes.pins:
        return {wishes.pins[place]: 1.0}
    stands = {*above, *wishes.pins.values()}
    within = set(range(len(wishes.utilities))) - stands
    for kinds, most in wishes.limits():
        full = {item for kind in kinds if len(kind & stands) >= most for item in kind}
        within = within - full or within
    left = wishes.places - place - sum(pin >= place for pin in wishes.pins)

    def best_with(first: set[int]) -> tuple[int, ...]:
        """Return how many of each rule can be had at most, of rules named first first."""
        others = within - first
        size = min(left, len(within)) - len(first)
        return max(
            tuple(min(len(items & (stands | first | set(rest))), count)
                  for items, count in wishes.at_least)
            for rest in combinations(sorted(others), size)
        )  # fmt: skip

    best = best_with(set())
    allowed = sorted(item for item in within if best_with({item}) == best)
    return chances(wishes, sorted(stands), allowed)


def chances(wishes: Wishes, stands: list[int], allowed: list[int]) -> dict[int, float]:
    lowered = {item: taken_by_diversity(wishes, stands, item) for item in allowed}
    worth = {item: wishes.utilities[item] - lowered[item] for item in allowed}

    def first(of: dict[int, float]) -> int:
        return max(of, key=lambda item: (of[item], -item))

    name, number = wishes.policy
    if name == "epsilon":
        chance = {item: number / len(allowed) for item in allowed}
        chance[first(worth)] += 1 - number
    elif name == "plackett_luce":
        top = max(worth.values())
        odds = {item: exp((worth[item] - top) / number) for item in allowed}
        chance = {item: odds[item] / sum(odds.values()) for item in allowed}
    elif name == "thompson":
        chance = dict.fromkeys(allowed, 0.0)
        for draw in wishes.draws:
            chance[first({item: draw[item] - lowered[item] for item in allowed})] += 1.0
        chance = {item: wins / len(wishes.draws) for item, wins in chance.items()}
    else:
        chance = {item: float(item == first(worth)) for item in allowed}
    fresh = [item for item in allowed if item in wishes.new]
    if fresh:
        chance = {
            item: (1 - wishes.share) * of + wishes.share * (item in fresh) / len(fresh)
            for item, of in chance.items()
        }
    return chance


def taken_by_diversity(wishes: Wishes, stands: list[int], item: int) -> float:
    """Return power times the logarithm of what the item adds to the determinant, negated.

    It is known to one part in 255 of the most it can be, that of a copy but for a hundredth.
    """
    if wishes.gram is None:
        return 0.0
    added = determinant(wishes.gram, [*stands, item]) / determinant(wishes.gram, stands)
    return wishes.power * -log(0.01) * round(255 * log(added) / log(0.01)) / 255


def determinant(gram: np.ndarray, items: list[int]) -> float:
    return float(np.linalg.det(gram[np.ix_(items, items)])) if items else 1.0


def p_value(counts: dict[tuple[int, ...], int], expected: dict[tuple[int, ...], float]) -> float:
    """Return how likely counts at least so far from the expected ones are, by chi-square.

    Cells of less than 5 go together. The tail is Wilson and Hilferty's (1931), good to 1e-3.
    """
    assert set(counts) <= set(expected), "a slate that cannot be"
    statistic, cells, rest, rest_expected = 0.0, 0, 0, 0.0
    for slate, number in expected.items():
        if number < 5:
            rest, rest_expected = rest + counts.get(slate, 0), rest_expected + number
        else:
            statistic += (counts.get(slate, 0) - number) ** 2 / number
            cells += 1
    if rest_expected >= 5:
        statistic += (rest - rest_expected) ** 2 / rest_expected
        cells += 1
    freedom = cells - 1
    if freedom == 0:
        return 1.0
    spread = 2 / (9 * freedom)
    return erfc(((statistic / freedom) ** (1 / 3) - (1 - spread)) / sqrt(2 * spread)) / 2
