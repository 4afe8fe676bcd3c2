"""How much less an item is worth for what stands already."""

from typing import Protocol

from services.common.arrays import Float64s
from services.ranker.domain.selection.dpp import GreedyDpp
from services.ranker.domain.selection.likeness import Likeness
from services.ranker.domain.selection.mmr import MaximalMarginalRelevance
from services.ranker.domain.selection.plan import Diversity, Method, Plan
from services.ranker.domain.selection.pool import Pool, Vectors
from services.ranker.domain.selection.selection import Lost

_STRONGEST = 0.999
"""Strengths above it are it: only where items are equally unlike, utilities decide."""


class Spread(Protocol):
    """A way to keep the items of a slate apart."""

    def take(self, item: int) -> None:
        """Let an item stand."""
        ...

    def covered(self) -> Float64s:
        """Return [n] in 0..1, how much those that stand have of an item; of themselves, anything.

        That share of `most` is taken from utilities.
        """
        ...

    @property
    def most(self) -> float:
        """Return what is taken from the utility of an item that is covered as can be."""
        ...


def diversity_of(plan: Plan, pool: Pool) -> tuple[Diversity | None, list[Lost]]:
    """Return what there is to be of it, None: nothing is to change; and why, if it cannot be."""
    if plan.diversity is None or plan.diversity.strength <= 0:
        return None, []
    if pool.vectors is None:
        return None, [Lost("diversity", "items have no vectors")]
    return plan.diversity, []


def power_of(diversity: Diversity) -> float:
    """Return strength / (1 - strength): see the methods."""
    strength = min(diversity.strength, _STRONGEST)
    return strength / (1.0 - strength)


def spread_of(diversity: Diversity, vectors: Vectors, places: int) -> Spread:
    """Return the way that is asked for."""
    likeness, size = Likeness(vectors), vectors.rows.size
    if diversity.method is Method.MMR:
        return MaximalMarginalRelevance(likeness, size, power_of(diversity))
    return GreedyDpp(likeness, size, places, power_of(diversity))
