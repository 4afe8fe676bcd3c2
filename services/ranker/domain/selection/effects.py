"""What rules did to each place, in words."""

from collections.abc import Mapping

import numpy as np

from services.common.arrays import Ordinals
from services.ranker.domain.selection.journal import Journal
from services.ranker.domain.selection.pins import Pinned
from services.ranker.domain.selection.plan import Boost, Plan
from services.ranker.domain.selection.selection import Applied

Effects = list[list[Applied]]
"""Of each place."""


def effects_of(
    plan: Plan, journal: Journal, pinned: Mapping[int, Pinned], shown: Ordinals
) -> tuple[tuple[Applied, ...], ...]:
    """Return effects at each of the places as shown [k], in the order of the plan."""
    effects: Effects = [[] for _ in shown]
    _note_boosts(plan, journal, effects)
    for place, (_, rule) in pinned.items():
        effects[place].append(Applied(rule, "pinned"))
    for place, kept_away in enumerate(journal.kept_away):
        for rule, count in kept_away:
            effects[place].append(Applied(rule, f"capped out {count} above"))
    _note_minimums(plan, journal, effects)
    if plan.sorts:
        effects = _sorted(plan, journal, shown, effects)
    return tuple(tuple(effect) for effect in effects)


def _note_boosts(plan: Plan, journal: Journal, effects: Effects) -> None:
    for boost in plan.boosts:
        applied = Applied(boost.rule, _boosted(boost))
        for place in np.flatnonzero(boost.items[journal.places]).tolist():
            effects[place].append(applied)


def _boosted(boost: Boost) -> str:
    return f"{'boosted' if boost.factor >= 1 else 'buried'} x{boost.factor:g}"


def _note_minimums(plan: Plan, journal: Journal, effects: Effects) -> None:
    if not plan.at_least:
        return
    for place, item in enumerate(journal.places.tolist()):
        if not journal.passed[place]:
            continue
        for rule in plan.at_least:
            if rule.items[item]:
                effects[place].append(Applied(rule.rule, "lifted above better ones"))


def _sorted(plan: Plan, journal: Journal, shown: Ordinals, effects: Effects) -> Effects:
    """Return effects in the order as shown, with where an item came from if it moved."""
    decided = {item: place for place, item in enumerate(journal.places.tolist())}
    moved = []
    for place, item in enumerate(shown.tolist()):
        before = decided[item]
        moved.append(effects[before])
        if before != place:
            moved[-1].append(Applied(plan.sorts[0].rule, f"sorted from slot {before + 1}"))
    return moved
