"""Slates selected by the compiled core: `select` is its twin in NumPy, and says what is decided."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from services.common.arrays import Float32s, Float64s, Ordinals
from services.ranker.domain.selection.decisions import Decisions
from services.ranker.domain.selection.diversity import diversity_of, power_of
from services.ranker.domain.selection.exploring import exploration_of
from services.ranker.domain.selection.minimums import lost_minimums, wanted
from services.ranker.domain.selection.pins import Loss, lost_pin
from services.ranker.domain.selection.plan import Method, Plan
from services.ranker.domain.selection.policies import (
    EpsilonMixture,
    Greedy,
    PlackettLuce,
    Policy,
)
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.select import BY_NEED, BY_PIN, select
from services.ranker.domain.selection.selection import Bytes, Lost, Selection

if TYPE_CHECKING:
    from harken_native import _core


def compiled_select(
    selector: _core.PlaceSelector, pool: Pool, plan: Plan, count: int, seed: int = 0
) -> Selection:
    """Return what `select` does, which does it for policies that the core does not know."""
    exploration, new, lost_exploration = exploration_of(plan, pool)
    policy = _policy(exploration.policy)
    if policy is None:
        return select(pool, plan, count, seed)
    size, places = pool.size, min(count, pool.size)
    diversity, lost_diversity = diversity_of(plan, pool)
    method, power, vectors, lowered = 0, 0.0, None, None
    if diversity is not None:
        method, power = (1 if diversity.method is Method.DPP else 2), power_of(diversity)
        vectors, lowered = pool.vectors, np.empty((places, size), np.uint8)
    shown: Ordinals = np.empty(places, np.int64)
    propensities: Float64s = np.empty(places)
    utilities: Float32s = np.empty(size, np.float32)
    barred: Bytes = np.empty((places, (size + 7) // 8), np.uint8)
    least = [wanted(rule, places) for rule in plan.at_least]
    pins, lost_pins, kept_away, passed, lost_limits, missing, unit = selector.select(
        pool.utilities,
        [(boost.items, log(boost.factor)) for boost in plan.boosts],
        [(pin.items, pin.place) for pin in plan.pins],
        [(rule.items, rule.count) for rule in plan.at_most],
        [(cap.codes, cap.starts, cap.most, dict(cap.used)) for cap in plan.caps],
        [(rule.items, items) for rule, items in zip(plan.at_least, least, strict=True)],
        method,
        power,
        None if vectors is None else vectors.table,
        None if vectors is None else vectors.norms,
        None if vectors is None else vectors.rows,
        *policy,
        new,
        exploration.new_share,
        seed,
        shown,
        propensities,
        utilities,
        lowered,
        barred,
    )
    limits = [rule.rule for rule in plan.at_most] + [cap.rule for cap in plan.caps]
    away: dict[int, list[tuple[str, int]]] = {}
    for place, limit, items in kept_away:
        away.setdefault(place, []).append((limits[limit], items))
    lost: dict[str, Lost] = {}
    for limit, why in lost_limits:
        lost.setdefault(limits[limit], Lost(limits[limit], BY_PIN if why == 1 else BY_NEED))
    return Decisions(
        shown,
        propensities,
        utilities,
        lowered,
        unit,
        barred,
        {place: plan.pins[pin].rule for place, pin, _ in pins},
        away,
        passed,
        (
            *(
                lost_pin(plan.pins[pin], Loss(why), places, plan.pins[other].rule)
                for pin, why, other in lost_pins
            ),
            *lost.values(),
            *(lost_minimums(plan.at_least, least, missing) if any(missing) else ()),
            *lost_diversity,
            *lost_exploration,
        ),
    ).selection(plan)


def _policy(policy: Policy) -> tuple[int, float] | None:
    """Return its number in the core, and its own."""
    match policy:
        case Greedy():
            return 0, 0.0
        case EpsilonMixture(epsilon):
            return 1, epsilon
        case PlackettLuce(temperature):
            return 2, temperature
        case _:
            return None
