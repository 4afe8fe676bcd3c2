"""How a slate is selected: the reference, in NumPy. See compiled_select for what is faster."""

import numpy as np

from services.ranker.domain.selection.boosts import boosted
from services.ranker.domain.selection.decisions import Decisions
from services.ranker.domain.selection.diversity import diversity_of, spread_of
from services.ranker.domain.selection.exploring import exploration_of, explorer_of
from services.ranker.domain.selection.journal import Journal
from services.ranker.domain.selection.limits import Limits
from services.ranker.domain.selection.minimums import Minimums
from services.ranker.domain.selection.pins import pinned_items
from services.ranker.domain.selection.plan import Plan
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.reserve import Reserve
from services.ranker.domain.selection.selection import Selection

BY_PIN = "a pin goes first"
BY_NEED = "nothing else was left"


def select(pool: Pool, plan: Plan, count: int, seed: int = 0) -> Selection:
    """Return a slate of min(count, candidates) places, one decided after the other.

    Pins go before limits (at most, caps), these before what there is to be at least, that before
    boosts, and these before diversity. No rule leaves a place empty: it yields, and is in `lost`.
    What pins put into the slate counts from the first place on: for limits, minimums and diversity.
    A sort moves items when all are chosen. It says where they stand, so it goes before exploration.

    seed: 0..2^64 - 1; the same pool, plan, count and seed give the same slate. Without exploration
    it has no effect, and without rules and diversity either the slate is the best first, equal ones
    in the order of the pool.
    """
    places = min(count, pool.size)
    logged = boosted(pool, plan.boosts)
    utilities = logged.astype(np.float64)
    pinned, lost = pinned_items(plan.pins, utilities, places)
    limits = Limits(plan.at_most, plan.caps, pool.size)
    minimums = Minimums(plan.at_least, places)
    reserve = Reserve(limits, minimums)
    diversity, lost_diversity = diversity_of(plan, pool)
    spread = None
    if diversity is not None and pool.vectors is not None:
        spread = spread_of(diversity, pool.vectors, places)
    exploration, new, lost_exploration = exploration_of(plan, pool)
    explorer = explorer_of(exploration, new, pool, places, seed)
    journal = Journal(pool.size, places, 0.0 if spread is None else spread.most)

    free = np.ones(pool.size, dtype=np.bool_)

    def take(item: int, why: str) -> None:
        free[item] = False
        limits.take(item, why)
        minimums.take(item)

    for item, _ in pinned.values():
        take(item, BY_PIN)
        if spread is not None:
            spread.take(item)
    left = places - len(pinned)
    for place in range(places):
        if place in pinned:
            journal.pinned(place, pinned[place].item)
            continue
        worth = utilities
        if spread is not None:
            worth = utilities - journal.lower(place, spread.covered())
        within = limits.allowed(free)
        allowed = minimums.narrowed(reserve.narrowed(within), left)
        of_allowed = worth.copy()
        np.putmask(of_allowed, ~allowed, -np.inf)
        item, propensity = int(of_allowed.argmax()), 1.0
        if explorer is not None:
            item, propensity = explorer.draw(place, of_allowed)
        journal.decided(place, item, propensity, allowed)
        if within is not free:
            journal.kept_away[place] = limits.kept_away(free & (worth > worth[item]))
        if allowed is not within and (worth[within] > worth[item]).any():
            journal.passed.append(place)
        take(item, BY_NEED)
        left -= 1
        if spread is not None and left:
            spread.take(item)

    return Decisions(
        journal.places,
        journal.propensities,
        logged,
        None if spread is None else journal.lowered,
        journal.unit,
        journal.barred(),
        {place: one.rule for place, one in pinned.items()},
        journal.kept_away,
        journal.passed,
        (*lost, *limits.lost.values(), *minimums.lost(), *lost_diversity, *lost_exploration),
    ).selection(plan)
