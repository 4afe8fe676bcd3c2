"""What rules did to each place, in words."""

from collections.abc import Collection, Mapping, Sequence

from services.common.arrays import Ordinals
from services.ranker.domain.selection.plan import Boost, Plan
from services.ranker.domain.selection.selection import Applied

Effects = list[list[Applied]]
"""Of each place."""


def effects_of(
    plan: Plan,
    decided: Ordinals,
    pinned: Mapping[int, str],
    kept_away: Mapping[int, Sequence[tuple[str, int]]],
    passed: Collection[int],
    shown: Ordinals,
) -> tuple[tuple[Applied, ...], ...]:
    """Return effects at each of the places as shown [k], in the order of the plan.

    decided: the items [k] as places were decided; the others are of Decisions.
    """
    effects: Effects = [[] for _ in range(shown.size)]
    for boost in plan.boosts:
        applied = Applied(boost.rule, _boosted(boost))
        for place, boosted in enumerate(boost.items[decided].tolist()):
            if boosted:
                effects[place].append(applied)
    for place, rule in pinned.items():
        effects[place].append(Applied(rule, "pinned"))
    for place, barred in kept_away.items():
        for rule, count in barred:
            effects[place].append(Applied(rule, f"capped out {count} above"))
    for place in passed:
        item = decided[place]
        for minimum in plan.at_least:
            if minimum.items[item]:
                effects[place].append(Applied(minimum.rule, "lifted above better ones"))
    if plan.sorts:
        effects = _sorted(plan, decided, shown, effects)
    return tuple(map(tuple, effects))


def _boosted(boost: Boost) -> str:
    return f"{'boosted' if boost.factor >= 1 else 'buried'} x{boost.factor:g}"


def _sorted(plan: Plan, decided: Ordinals, shown: Ordinals, effects: Effects) -> Effects:
    """Return effects in the order as shown, with where an item came from if it moved."""
    place_of = {item: place for place, item in enumerate(decided.tolist())}
    moved = []
    for place, item in enumerate(shown.tolist()):
        before = place_of[item]
        moved.append(effects[before])
        if before != place:
            moved[-1].append(Applied(plan.sorts[0].rule, f"sorted from slot {before + 1}"))
    return moved
