"""What a bench measures: product and floor in turns, their quotients, and how far to trust them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_OF_MEDIAN = 1.2533
"""Standard error of a median over that of a mean, for a normal distribution: sqrt(pi / 2)."""
_ERRORS = 3.0
LEAST_NOISE = 0.03
"""What no difference below counts, whatever the rounds say: the machine drifts by that."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing, round by round.

    `floor` [rounds]: what cannot be beaten, named by `floor_name`. `products` [rounds], by tree.
    All in `unit`; `more`: more of it is better, as of rates; less, as of times. `details` go to
    the JSON file.
    """

    name: str
    unit: str
    more: bool
    floor_name: str
    floor: Sequence[float]
    products: Mapping[str, Sequence[float]]
    details: Mapping[str, Any] = field(default_factory=dict)

    def ratios(self, tree: str) -> list[float]:
        """Return the speed of each round as a share of the floor's: more is better, 1 is it."""
        pairs = zip(self.products[tree], self.floor, strict=True)
        return [product / floor if self.more else floor / product for product, floor in pairs]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, their least and most, and the noise of the median, relative."""

    median: float
    least: float
    most: float
    noise: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median and its noise: three standard errors, from the median absolute deviation,
    so that a round or two that something disturbed say nothing. No noise is below LEAST_NOISE.

    Raises:
        ValueError: there are none, or one is not above 0.

    """
    if not values or min(values) <= 0:
        raise ValueError(f"{values} are not some values above 0")
    median = statistics.median(values)
    deviation = statistics.median(abs(one - median) for one in values)
    error = _ERRORS * _NORMAL * _OF_MEDIAN * deviation / len(values) ** 0.5 / median
    return Spread(median, min(values), max(values), max(LEAST_NOISE, error))


@dataclass(frozen=True, slots=True)
class Change:
    """How a ratio changed from one tree to another: 1 is not at all, less is slower."""

    name: str
    then: float
    now: float
    quotient: float
    noise: float

    @property
    def fell(self) -> bool:
        """Whether it fell by more than its noise."""
        return self.quotient < 1 - self.noise


def change(figure: Figure, then: str, now: str) -> Change:
    """Return how the ratio changed between trees.

    The quotient is taken in each round, where floor and both trees were measured within seconds.
    """
    before, after = figure.ratios(then), figure.ratios(now)
    quotients = spread([b / a for a, b in zip(before, after, strict=True)])
    return Change(
        figure.name, statistics.median(before), statistics.median(after),
        quotients.median, quotients.noise,
    )  # fmt: skip
