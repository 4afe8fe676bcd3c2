"""How the places of a slate were decided, by whoever decided them."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from services.common.arrays import Float32s, Float64s, Ordinals
from services.ranker.domain.selection.effects import effects_of
from services.ranker.domain.selection.plan import Plan
from services.ranker.domain.selection.selection import Bytes, Lost, Selection
from services.ranker.domain.selection.sorting import sorted_places


class Decisions(NamedTuple):
    """Of a slate of k places from n candidates; arrays as in Selection, before any sort.

    pinned: which pin has a place. kept_away: of places, which limits kept away how many that would
    have come before its item. passed: places where what there is to be at least went before what
    was better. lost: in the order of the kinds of rules.
    """

    places: Ordinals
    propensities: Float64s
    utilities: Float32s
    lowered: Bytes | None
    unit: float
    barred: Bytes
    pinned: Mapping[int, str]
    kept_away: Mapping[int, Sequence[tuple[str, int]]]
    passed: Collection[int]
    lost: tuple[Lost, ...]

    def selection(self, plan: Plan) -> Selection:
        """Return the slate as shown, with what rules did in words."""
        shown = sorted_places(self.places, self.pinned, self.utilities, plan.sorts)
        applied = effects_of(plan, self.places, self.pinned, self.kept_away, self.passed, shown)
        return Selection(
            shown, _decided_at(self.places, shown), self.propensities, applied, self.lost,
            self.utilities, self.lowered, self.unit, self.barred,
        )  # fmt: skip


def _decided_at(places: Ordinals, shown: Ordinals) -> Ordinals:
    """Return [k], at which place each item of a slate as shown was decided."""
    if shown is places:
        return np.arange(shown.size)
    order = places.argsort()
    found: Ordinals = order[places[order].searchsorted(shown)]
    return found
