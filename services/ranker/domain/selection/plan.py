"""What a surface wants of a slate, with its expressions decided for the candidates of a pool.

Masks are bool [n]. Of rules of one kind, those named first go first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from services.common.arrays import Bools, Float64s, Int32s, Ordinals
from services.ranker.domain.selection.policies import GREEDY, Policy


class Boost(NamedTuple):
    """The odds of items are multiplied by a factor > 0; below 1 buries."""

    rule: str
    items: Bools
    factor: float


class Pin(NamedTuple):
    """The best of the items stands at a place, from 0."""

    rule: str
    items: Bools
    place: int


@dataclass(frozen=True, slots=True)
class AtLeast:
    """So many of the items are in the slate: a count, or a share (0..1) of its places."""

    rule: str
    items: Bools
    count: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class AtMost:
    """No more than so many of the items are in the slate."""

    rule: str
    items: Bools
    count: int = 0


_NONE_USED: Mapping[int, int] = MappingProxyType({})


class Cap(NamedTuple):
    """At most so many items with one value of an attribute.

    codes: values, -1 is none: [n], one of each item, or, where `starts` [n + 1] is given, those of
        item i at starts[i]..starts[i + 1], each once.
    used: how many items with a value the last slates had; they count as if they were in this one.
    """

    rule: str
    codes: Int32s
    most: int
    starts: Ordinals | None = None
    used: Mapping[int, int] = _NONE_USED


class Sort(NamedTuple):
    """Places are in the order of a number; items where it is not present come last."""

    rule: str
    values: Float64s
    present: Bools
    ascending: bool = False


class Method(Enum):
    """How items unlike each other are found."""

    DPP = "dpp"
    MMR = "mmr"


@dataclass(frozen=True, slots=True)
class Diversity:
    """How unlike the items of a slate are; `strength`: 0 (no change) to 1."""

    strength: float
    method: Method = Method.DPP


@dataclass(frozen=True, slots=True)
class Exploration:
    """By what chance places leave what is best.

    new_share: at each place with this probability (0..1) one of the new items that may stand
        there, each as likely as the other; where there are none, as the policy has it.
    """

    policy: Policy = GREEDY
    new_share: float = 0.0


NO_EXPLORATION = Exploration()


class Plan(NamedTuple):
    """All that is wanted of one slate; empty: the best first.

    sorts: the first orders, the others decide between equals.
    """

    boosts: tuple[Boost, ...] = ()
    pins: tuple[Pin, ...] = ()
    at_most: tuple[AtMost, ...] = ()
    caps: tuple[Cap, ...] = ()
    at_least: tuple[AtLeast, ...] = ()
    sorts: tuple[Sort, ...] = ()
    diversity: Diversity | None = None
    exploration: Exploration = NO_EXPLORATION
