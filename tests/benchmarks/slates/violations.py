"""Slates of generated surfaces and requests, each looked at by plain Python.

What is checked is what a team was promised: no item twice, none that is gone, excluded, seen or
beyond a gate; pins, caps, at most and at least hold, unless the answer says that they had to yield.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tests.benchmarks.slates import shop
from tests.benchmarks.slates.shop import Asked, Shop, surface

_SURFACES = 500
"""Of so many slates one begins with a new configuration."""


class Shelf(Protocol):
    """Items by ordinal, as a slate is looked at."""

    def number(self, item: int) -> float:
        """Return the number that rules go by; NaN: it has none."""

    def values(self, attribute: str, item: int) -> Sequence[str]:
        """Return what caps count by."""


class ShopShelf:
    """The items of the shop in memory."""

    def number(self, item: int) -> float:
        """See Shelf."""
        return shop.price(item)

    def values(self, attribute: str, item: int) -> Sequence[str]:
        """See Shelf."""
        return [shop.owner(item) if attribute == "owner" else shop.category(item)]


@dataclass(frozen=True, slots=True)
class Promised:
    """What a slate must not hold, and how many items it must."""

    count: int
    gone: Collection[int]
    excluded: Collection[int]
    seen: Collection[int]
    last: Collection[int] = ()


def violations(slates: int, seed: int = 1) -> Iterator[str]:
    """Yield what is wrong with any of `slates` slates."""
    chance = np.random.default_rng(seed)
    store = Shop(1_500, seed)
    bought = store.replica.users.kinds.number("purchase", negative=False)
    config: dict[str, Any] = {}
    shaped = surface(config)
    gone: set[int] = set()
    for number in range(slates):
        if number % _SURFACES == 0:
            config = any_config(chance, "price", (0, shop.PRICES), ("owner", "category"))
            shaped = surface(config)
            gone = store.take_away(chance.integers(0, store.items, 100).tolist())
        asked = Asked(
            int(chance.integers(50)), int(chance.integers(1, 25)), int(chance.integers(2**32))
        )
        excluded = chance.integers(0, store.items, 5).tolist()
        last = chance.integers(0, store.items, 10)
        made = store.shaped(shaped, asked, [f"item-{n}" for n in excluded], [last])
        seen = store.users[asked.user % len(store.users)].seen.entries()
        promised = Promised(
            asked.count, gone, excluded, seen["item"][seen["kind"] == bought].tolist(),
            last.tolist(),
        )  # fmt: skip
        lost = {one.rule for one in made.lost}
        for wrong in faults(ShopShelf(), config, promised, made.items.tolist(), lost):
            yield f"slate {number}: {wrong}: {config}"


def any_config(
    chance: np.random.Generator, number: str, bounds: tuple[int, int], attributes: Sequence[str]
) -> dict[str, Any]:
    """Return any configuration whose rules go by a number of items within `bounds`."""
    rules: list[dict[str, Any]] = []
    for place in range(int(chance.integers(0, 6))):
        dear = f"item.numbers.{number} >= {chance.integers(*bounds)}.0"
        kinds = {
            "boost": {"items": dear, "factor": float(chance.uniform(0.1, 10))},
            "pin": {"items": dear, "slot": int(chance.integers(1, 12))},
            "at_most": {"items": dear, "count": int(chance.integers(0, 5))},
            "at_least": {"items": dear, "count": int(chance.integers(1, 5))},
            "cap": {"attribute": attributes[place % len(attributes)],
                    "most": int(chance.integers(1, 4)), "last_slates": int(chance.integers(0, 2))},
            "sort": {"by": f"item.numbers.{number}", "ascending": bool(place % 2)},
        }  # fmt: skip
        kind = [*kinds][int(chance.integers(len(kinds)))]
        rules.append({"name": f"r{place}", kind: kinds[kind]})
    explorations: list[dict[str, Any]] = [
        {}, {"epsilon": 0.3}, {"plackett_luce_temperature": 0.5}, {"new_item_share": 0.2},
    ]  # fmt: skip
    above = int(chance.integers(bounds[0] + (bounds[1] - bounds[0]) // 3, bounds[1]))
    return {
        "gates": [{"name": "g", "keep": f"item.numbers.{number} < {above}.0"}],
        "rules": rules,
        "diversity": {"strength": float(chance.choice([0.0, 0.3, 0.9]))},
        "exploration": explorations[int(chance.integers(len(explorations)))],
        "sources": [{"source": "trending", "quota": 20}, {"source": "similar", "quota": 20}],
    }


def faults(
    shelf: Shelf, config: dict[str, Any], promised: Promised, items: list[int], lost: set[str]
) -> Iterator[str]:
    """Yield what is wrong with a slate; lost: rules that the answer says had to yield."""
    if len(set(items)) < len(items):
        yield "an item twice"
    if len(items) < promised.count:
        yield "a short slate"
    limit = float(config["gates"][0]["keep"].split("<")[1])
    if any(not shelf.number(item) < limit for item in items):
        yield "beyond a gate"
    for name, without in (
        ("gone", promised.gone), ("excluded", promised.excluded), ("seen", promised.seen),
    ):  # fmt: skip
        if not set(items).isdisjoint(without):
            yield name
    for rule in config["rules"]:
        if rule["name"] not in lost:
            yield from _broken(shelf, rule, items, promised.last)


def _broken(
    shelf: Shelf, rule: dict[str, Any], items: list[int], last: Collection[int]
) -> Iterator[str]:
    name = rule["name"]
    [(kind, own)] = [(kind, own) for kind, own in rule.items() if kind != "name"]
    if kind in ("pin", "at_most", "at_least"):
        bound = float(own["items"].split(">=")[1])
        dear = [shelf.number(item) >= bound for item in items]
        if kind == "pin" and own["slot"] <= len(items) and not dear[own["slot"] - 1]:
            yield f"{name}: not pinned"
        if kind == "at_most" and sum(dear) > own["count"]:
            yield f"{name}: too many"
        if kind == "at_least" and sum(dear) < own["count"]:
            yield f"{name}: too few"
    elif kind == "cap":
        counted = _counts(shelf, own["attribute"], items)
        before = _counts(shelf, own["attribute"], last if own["last_slates"] else ())
        if any(count and count + before[one] > own["most"] for one, count in counted.items()):
            yield f"{name}: beyond a cap"


def _counts(shelf: Shelf, attribute: str, items: Collection[int]) -> Counter[str]:
    return Counter(value for item in items for value in shelf.values(attribute, item))
