"""A shop in memory, with items of every field, that slates of surfaces are made from.

Its bias: that of tests.benchmarks.slate, whose vectors, rules and users it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import json_format

from harken.feedback.v1 import surface_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.arrays import Ordinals
from services.common.compiled_core import find_core
from services.common.expressions.request import Request
from services.feed.parameters import CatalogueChanges, ItemFacts
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.outcome_blend import NO_OVERRIDES
from services.ranker.domain.surface.configured import Surface
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.numpy_slates import NumpySlates
from services.ranker.slate_conversion import filter_of
from services.ranker.surfaces.surface_reader import surface_of
from services.ranker.surfaces.surface_slates import ShapedAnswer, shaped_answer
from tests.benchmarks.slate import DIMENSION, NOW, RULE, USERS, filled_folder, users_of
from tests.ranker.generations import generation

OWNERS, CATEGORIES, PRICES = 50, 20, 1000
RICH: dict[str, Any] = {
    "gates": [{"name": "priced", "keep": "item.numbers.price >= 0.0"}],
    "sources": [{"source": name, "quota": 50} for name in ("trending", "new", "similar")],
    "rules": [
        {"name": "ads", "boost": {"items": "'ad' in item.tags", "factor": 1.5}},
        {"name": "dear", "pin": {"items": "item.numbers.price > 900.0", "slot": 3}},
        {"name": "owners", "cap": {"attribute": "owner", "most": 2}},
        {"name": "c3", "at_most": {"items": "'c3' in item.categories", "count": 2}},
        {"name": "one-ad", "at_least": {"items": "'ad' in item.tags", "count": 1}},
    ],
    "diversity": {"strength": 0.3},
    "exploration": {"plackett_luce_temperature": 0.2},
}
"""Six sources, five rules, DPP and Plackett-Luce."""


def owner(number: int) -> str:
    """Return whose an item is."""
    return f"o{number % OWNERS}"


def category(number: int) -> str:
    """Return the category of an item."""
    return f"c{number % CATEGORIES}"


def price(number: int) -> float:
    """Return what an item costs."""
    return float(number % PRICES)


def is_ad(number: int) -> bool:
    """Return whether an item is tagged as an advertisement."""
    return number % 50 == 0


def surface(config: dict[str, Any]) -> Surface:
    """Return a surface as rankers read it."""
    return surface_of(json_format.ParseDict(config, surface_pb2.SurfaceConfig()), 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: number of the user, items wanted, seed."""

    user: int
    count: int
    seed: int


class Shop:
    """Items, users and who makes slates; item ordinals are their numbers."""

    def __init__(self, items: int, seed: int = 1) -> None:
        """Fill it with `items` items."""
        chance = np.random.default_rng(seed)
        self.items = items
        self.replica = filled_folder(items, chance).replicas["default"]
        self.replica.catalogue.fold(CatalogueChanges(tuple(map(_item, range(items))), ()))
        self.users = users_of(items, chance, self.replica)
        core = find_core()
        self.slates = NumpySlates() if core is None else CompiledSlates(core)
        self.generation = generation("g1", DIMENSION)
        self._finds = Finds()
        self._gone: set[int] = set()

    def plain(self, number: int, wanted: ItemFilter | None = None) -> int:
        """Make a slate of no surface, and return how many items it has."""
        own = filter_of(pb.RecommendRequest(), RULE) if wanted is None else wanted
        user = self.users[number % USERS]
        made = self.slates.recommend(
            self.replica, self.generation, user, 10, own, NOW, NO_OVERRIDES, True
        )
        return made.items

    def take_away(self, gone: Sequence[int]) -> set[int]:
        """Make these items unavailable or expired, and all others there again; return them."""
        changed = sorted(self._gone | set(gone))
        self._gone = set(gone)
        facts = (_item(number, gone=number in self._gone) for number in changed)
        self.replica.catalogue.fold(CatalogueChanges(tuple(facts), ()))
        return self._gone

    def wanted(self, shaped: Surface, excluded: Sequence[str] = ()) -> ItemFilter:
        """Return the filter of a surface."""
        request = Request({}, {}, round(NOW * 1e6))
        return filter_of(pb.RecommendRequest(), RULE, excluded)._replace(
            gates=shaped.gates, request=request
        )

    def shaped(
        self,
        shaped: Surface,
        asked: Asked,
        excluded: Sequence[str] = (),
        last: Sequence[Ordinals] = (),
    ) -> ShapedAnswer:
        """Make a slate of a surface."""
        return shaped_answer(
            self.slates, self.replica, self.generation, self.users[asked.user % USERS], shaped,
            self.wanted(shaped, excluded), pb.RecommendRequest(), asked.count, NOW, asked.seed, (),
            last, self._finds, True,
        )  # fmt: skip


def _item(number: int, gone: bool = False) -> ItemFacts:
    return ItemFacts(
        f"item-{number}",
        (category(number),),
        available=not gone or number % 2 == 0,
        expire_time_us=round((NOW - 1) * 1e6) if gone and number % 2 == 0 else None,
        owner=owner(number),
        tags=("ad",) if is_ad(number) else (),
        numbers={"price": price(number)},
        publish_time_us=round((NOW - number) * 1e6),
    )
