"""Slates of generated surfaces in a replay of real histories, each looked at by plain Python.

Every user who is about to act gets a slate, from a replica that learned all before; then what they
did is learned. What is seen is what the replay says, not what the replica does.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from services.common.content_features import Content
from services.common.expressions.request import Request
from services.evaluation.arm import MISS, Moment, Ranking
from services.evaluation.protocol import Repeats, Rules
from services.evaluation.system.arms import SlateArm
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.surface.shaping import Wish, shaped_slate
from services.ranker.domain.surface.sources.kept import Finds
from tests.benchmarks.learning.sets import FILMS, Set, sets_of
from tests.benchmarks.slates.history import drafts, walked
from tests.benchmarks.slates.shop import surface
from tests.benchmarks.slates.violations import Promised, any_config, faults

_YEARS = (1930, 2018)
_SURFACES = 50


class _Films:
    """Films by their code in the history."""

    def __init__(self, item_ids: Sequence[str], contents: Mapping[str, Content]) -> None:
        self._contents = [contents.get(item_id) or Content(item_id) for item_id in item_ids]

    def number(self, item: int) -> float:
        """See Shelf: the year."""
        return self._contents[item].numbers.get("year", math.nan)

    def values(self, attribute: str, item: int) -> Sequence[str]:
        """See Shelf: categories."""
        return list(dict.fromkeys(self._contents[item].categories))


class _Watch:
    """An arm that makes slates of one surface after the other, and looks at them."""

    def __init__(self, full: SlateArm, films: _Films, seed: int) -> None:
        self.name = "watch"
        self.fit_seconds = 0.0
        self.slates = self.items = 0
        self.wrong: list[str] = []
        self._full = full
        self._films = films
        self._chance = np.random.default_rng(seed)
        self._config: dict[str, Any] = {}
        self._surface = surface({})
        self._drafts = drafts()
        self._finds = Finds()

    def rank(self, moment: Moment) -> Ranking:
        """See Arm; the ranking is of nothing."""
        if self.slates % _SURFACES == 0:
            self._config = any_config(self._chance, "year", _YEARS, ("category",))
            self._surface = surface(self._config)
        self.slates += 1
        excluded = self._chance.integers(0, len(self._full.item_ids), 5).tolist()
        items, lost = self._made(moment, [self._full.item_ids[item] for item in excluded])
        self.items += len(items)
        # Of old films there may be fewer than ten that a user has not seen.
        promised = Promised(0, (), excluded, moment.seen.tolist())
        self.wrong += [
            f"slate {self.slates}: {wrong}: {self._config}"
            for wrong in faults(self._films, self._config, promised, items, lost)
        ]
        return Ranking(np.full(moment.targets.size, MISS, np.float32), np.zeros(0, np.int32))

    def _made(self, moment: Moment, excluded: list[str]) -> tuple[list[int], set[str]]:
        system, now = self._full.replica, moment.time_us / 1e6
        replica, generation = system.tenant, system.generation
        wanted = ItemFilter(
            excluded_item_ids=tuple(excluded), gates=self._surface.gates,
            request=Request({}, {}, moment.time_us),
        )  # fmt: skip
        count, seed = int(self._chance.integers(1, 15)), int(self._chance.integers(2**32))
        shaped = shaped_slate(
            self._drafts, replica, generation, system.user(self._full.keys[moment.user]),
            self._surface, Wish(count, wanted, now, seed), self._finds, lambda: 0.0,
        )  # fmt: skip
        ordinals = shaped.draft.ordinals[shaped.places].tolist()
        ids = map(replica.catalogue.item_id, ordinals)
        return [self._full.code_of[one] for one in ids], {
            lost.rule for lost in shaped.selection.lost
        }


def replayed(data: Path, every: int) -> Iterator[tuple[str, int, int, list[str]]]:
    """Yield of each history that `data` has its name, how many slates and items in them there
    were, and what was wrong with any; one of `every` groups gets a slate.
    """
    for one in sets_of(FILMS, data):
        with threadpool_limits(limits=1):
            watch = _watched(one, Rules(every=every, repeats=Repeats.EXCLUDE))
        yield one.name, watch.slates, watch.items, watch.wrong


def _dated(content: Content) -> Content:
    """Return a film with the year that is in its title, where it has none of its own."""
    year = re.search(r"\((\d{4})\)", content.title)
    if year is None or "year" in content.numbers:
        return content
    return replace(content, numbers={**content.numbers, "year": float(year[1])})


def _watched(one: Set, rules: Rules) -> _Watch:
    contents = {name: _dated(content) for name, content in one.contents.items()}

    def arms_of(full: SlateArm) -> list[_Watch]:
        return [_Watch(full, _Films(full.item_ids, contents), 1)]

    (watch,), _ = walked(replace(one, contents=contents), rules, arms_of)
    return watch
