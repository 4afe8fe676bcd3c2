"""Slates of generated surfaces and requests, each looked at by plain Python.

What is checked is what a team was promised: no item twice, none that is excluded, seen or beyond a
gate; pins, caps, at most and at least hold, unless the answer says that they had to yield.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from services.ranker.surfaces.surface_slates import ShapedAnswer
from tests.benchmarks.slates import shop
from tests.benchmarks.slates.shop import Asked, Shop, surface

_SURFACES = 500
"""Of so many slates one begins with a new configuration."""


def violations(slates: int, seed: int = 1) -> Iterator[str]:
    """Yield what is wrong with any of `slates` slates."""
    chance = np.random.default_rng(seed)
    store = Shop(1_500, seed)
    config: dict[str, Any] = {}
    shaped = surface(config)
    for number in range(slates):
        if number % _SURFACES == 0:
            config = _config(chance)
            shaped = surface(config)
        asked = Asked(
            int(chance.integers(50)), int(chance.integers(1, 25)), int(chance.integers(2**32))
        )
        excluded = [f"item-{n}" for n in chance.integers(0, store.items, 5).tolist()]
        last = [chance.integers(0, store.items, 10)]
        made = store.shaped(shaped, asked, excluded, last)
        for wrong in _wrong(store, config, asked, excluded, last[0].tolist(), made):
            yield f"slate {number}: {wrong}: {config}"


def _config(chance: np.random.Generator) -> dict[str, Any]:
    """Return any configuration."""
    rules: list[dict[str, Any]] = []
    for number in range(int(chance.integers(0, 6))):
        bound = int(chance.integers(50, shop.PRICES))
        dear = f"item.numbers.price >= {bound}.0"
        kinds = {
            "boost": {"items": dear, "factor": float(chance.uniform(0.1, 10))},
            "pin": {"items": dear, "slot": int(chance.integers(1, 12))},
            "at_most": {"items": dear, "count": int(chance.integers(0, 5))},
            "at_least": {"items": dear, "count": int(chance.integers(1, 5))},
            "cap": {"attribute": ["owner", "category"][number % 2],
                    "most": int(chance.integers(1, 4)), "last_slates": int(chance.integers(0, 2))},
            "sort": {"by": "item.numbers.price", "ascending": bool(number % 2)},
        }  # fmt: skip
        kind = [*kinds][int(chance.integers(len(kinds)))]
        rules.append({"name": f"r{number}", kind: kinds[kind]})
    explorations: list[dict[str, Any]] = [
        {}, {"epsilon": 0.3}, {"plackett_luce_temperature": 0.5}, {"new_item_share": 0.2},
    ]  # fmt: skip
    return {
        "gates": [{"name": "g", "keep": f"item.numbers.price < {chance.integers(300, 1000)}.0"}],
        "rules": rules,
        "diversity": {"strength": float(chance.choice([0.0, 0.3, 0.9]))},
        "exploration": explorations[int(chance.integers(len(explorations)))],
        "sources": [{"source": "trending", "quota": 20}, {"source": "similar", "quota": 20}],
    }


def _wrong(
    store: Shop,
    config: dict[str, Any],
    asked: Asked,
    excluded: list[str],
    last: list[int],
    made: ShapedAnswer,
) -> Iterator[str]:
    items = made.items.tolist()
    lost = {one.rule for one in made.lost}
    if len(set(items)) < len(items):
        yield "an item twice"
    if len(items) < asked.count:
        yield "a short slate"
    limit = float(config["gates"][0]["keep"].split("<")[1])
    if any(shop.price(item) >= limit for item in items):
        yield "beyond a gate"
    if {f"item-{item}" for item in items} & set(excluded):
        yield "excluded"
    bought = store.replica.users.kinds.number("purchase", negative=False)
    seen = store.users[asked.user % len(store.users)].seen.entries()
    if set(items) & set(seen["item"][seen["kind"] == bought].tolist()):
        yield "seen"
    for rule in config["rules"]:
        if rule["name"] not in lost:
            yield from _broken(rule, items, last)


def _broken(rule: dict[str, Any], items: list[int], last: list[int]) -> Iterator[str]:
    name = rule["name"]
    [(kind, own)] = [(kind, own) for kind, own in rule.items() if kind != "name"]
    if kind in ("pin", "at_most", "at_least"):
        bound = float(own["items"].split(">=")[1])
        dear = [shop.price(item) >= bound for item in items]
        if kind == "pin" and own["slot"] <= len(items) and not dear[own["slot"] - 1]:
            yield f"{name}: not pinned"
        if kind == "at_most" and sum(dear) > own["count"]:
            yield f"{name}: too many"
        if kind == "at_least" and sum(dear) < own["count"]:
            yield f"{name}: too few"
    elif kind == "cap":
        value = shop.owner if own["attribute"] == "owner" else shop.category
        counted = Counter(map(value, items))
        before = Counter(map(value, last)) if own["last_slates"] else Counter()
        if any(count and count + before[one] > own["most"] for one, count in counted.items()):
            yield f"{name}: beyond a cap"
