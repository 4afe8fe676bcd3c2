"""A slate decided again, from what was logged of how it was decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Bools, Float32s, Float64s, Ordinals
from services.ranker.domain.selection.exploring import Explorer
from services.ranker.domain.selection.plan import Exploration
from services.ranker.domain.selection.pool import LOWEST
from services.ranker.domain.selection.selection import Bytes
from services.ranker.domain.selection.uniforms import uniforms


@dataclass(frozen=True, slots=True)
class Decided:
    """How a slate of k places was decided among n candidates, as `Selection` has it.

    shown: int64 [k], candidates as shown. decided: int64 [k]. lowered: uint8 [k, n] or none [0, n].
    new: bool [n]. deviations: float64 [m, n], of Thompson sampling. unboosted: float32 [n],
    utilities before boosts.
    """

    utilities: Float32s
    unboosted: Float32s
    barred: Bytes
    lowered: Bytes
    unit: float
    new: Bools | None
    deviations: Float64s | None
    exploration: Exploration
    seed: int
    shown: Ordinals
    decided: Ordinals


@dataclass(frozen=True, slots=True)
class Replay:
    """What comes of it again, by place as shown.

    places: int64 [k], which candidate. propensities: float64 [k], of the candidates as shown, given
    those above. lowered: float64 [k], what diversity took from these.
    by_order: int64 [n], candidates by utilities before boosts alone, best first, equal ones as they
    are.
    """

    places: Ordinals
    propensities: Float64s
    lowered: Float64s
    by_order: Ordinals


def replayed(decided: Decided) -> Replay:
    """Decide every place again as `select` did, by the same numbers: those above it, and whom rules
    barred there, are as logged.
    """
    utilities = _finite(decided.utilities)
    size, places = utilities.size, decided.shown.size
    barred = np.unpackbits(decided.barred, axis=1, count=size, bitorder="little").astype(np.bool_)
    units = np.arange(256) * decided.unit
    exploration = decided.exploration
    explorer = None
    if exploration.policy.by_chance or exploration.new_share > 0:
        chances: Sequence[float] = uniforms(decided.seed, places)
        explorer = Explorer(exploration, decided.new, decided.deviations, chances)
    again = np.empty(places, np.int64)
    propensities, lowered = np.empty(places), np.zeros(places)
    for slot, (item, place) in enumerate(
        zip(decided.shown.tolist(), decided.decided.tolist(), strict=True)
    ):
        worth = utilities
        if decided.lowered.size:
            taken = units.take(decided.lowered[place])
            worth, lowered[slot] = utilities - taken, taken[item]
        allowed = np.where(barred[place], -np.inf, worth)
        again[slot], propensities[slot] = _decided(explorer, place, allowed, item)
    by_order: Ordinals = (-_finite(decided.unboosted)).argsort(kind="stable")
    return Replay(again, propensities, lowered, by_order)


def _finite(utilities: Float32s) -> Float64s:
    """Return utilities as they were decided by."""
    return np.where(np.isnan(utilities), LOWEST, utilities.astype(np.float64))


def _decided(
    explorer: Explorer | None, place: int, allowed: Float64s, item: int
) -> tuple[int, float]:
    """Return who stands at a place, and the probability that `item` does."""
    best = int(allowed.argmax())
    if not np.isfinite(allowed[best]):
        # All are barred: that is no log of ours.
        return best, 0.0
    if explorer is None or np.count_nonzero(np.isfinite(allowed)) == 1:
        return best, float(best == item)
    drawn, propensity = explorer.draw(place, allowed)
    if drawn == item:
        return drawn, propensity
    weights = explorer.weights(allowed)
    return drawn, float(weights[item] / weights.sum())
