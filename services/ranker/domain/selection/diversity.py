"""How much less an item is worth for what stands already."""

from typing import Protocol

from services.common.arrays import Float32s
from services.ranker.domain.selection.dpp import GreedyDpp
from services.ranker.domain.selection.likeness import Likeness
from services.ranker.domain.selection.mmr import MaximalMarginalRelevance
from services.ranker.domain.selection.plan import Diversity, Method
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.selection import Lost

_STRONGEST = 0.999
"""Strengths above it are it: only where items are equally unlike, utilities decide."""


class Spread(Protocol):
    """A way to keep the items of a slate apart."""

    def take(self, item: int) -> None:
        """Let an item stand."""
        ...

    def covered(self) -> Float32s:
        """Return [n] in 0..1, how much those that stand have of an item; of themselves, anything.

        That share of `most` is taken from utilities.
        """
        ...

    @property
    def most(self) -> float:
        """Return what is taken from the utility of an item that is covered as can be."""
        ...


def spread_of(
    diversity: Diversity | None, pool: Pool, places: int
) -> tuple[Spread | None, list[Lost]]:
    """Return the way that is asked for, None: nothing is to change; and why, if it cannot be."""
    if diversity is None or diversity.strength <= 0:
        return None, []
    if pool.vectors is None:
        return None, [Lost("diversity", "items have no vectors")]
    strength = min(diversity.strength, _STRONGEST)
    power = strength / (1.0 - strength)
    likeness = Likeness(pool.vectors)
    if diversity.method is Method.MMR:
        return MaximalMarginalRelevance(likeness, pool.size, power), []
    return GreedyDpp(likeness, pool.size, places, power), []
