"""Events are taken back: what they did is undone, as far as it is known.

Exact: recent items, whole counts, and the user's vector given the items. Up to rounding: popularity
that fades with time. What fades with events (at places, just now) goes when an item has no event
left; else it fades on, as the time by events does not go back. Rules: what the event and the user's
other remembered events gained from each other is what they would have gained without it; pairs that
lost their slot meanwhile stay lost. Item vectors keep the one bounded step that the event made; so
does the head of the scorer.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from services.common.ranking.popularity import LEVEL, TREND
from services.feed.parameters import Ints, PlaceCells, PopularityRows, TrendRows
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.entries import EventRetracted, LogEntry
from services.feedback.learner.model.item_dictionary import ItemDictionary
from services.feedback.learner.model.popularity import without_event
from services.feedback.learner.model.sequential_rules import (
    ChangedCells,
    RuleTable,
    pair_gains,
)
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_step import retracting_users
from services.feedback.learner.model.user_table import NO_ITEM, PastEvent, UserTable


def retraction_step(state: TenantState, entries: Sequence[LogEntry]) -> Changes:
    """Take events back, in order; return what changed."""
    kinds = [entry.kind for entry in entries if isinstance(entry.kind, EventRetracted)]
    rows = retracting_users(state, entries)
    items = state.items.ordinals(kind.event.item_id for kind in kinds)
    # Whose item it is now stands for whose it was.
    keys = [state.links.root(kind.event.user_key, kind.sequence) for kind in kinds]
    items[state.owners.own(keys, items)] = NO_ITEM
    # What was not learned from has nothing to take back.
    sequences = [kind.sequence for kind in kinds]
    items[state.consents.denied(keys, sequences, state.links)] = NO_ITEM
    cells: list[ChangedCells] = []
    popular: set[int] = set()
    for kind, own, item in zip(kinds, rows, items.tolist(), strict=True):
        for user in own:
            merged = dict(state.merged_events.of(user))
            before, after = state.forget_event(user, kind.sequence)
            if len(after) < len(before):
                cells.append(_without_gains(state, user, before, after, merged))
        counted = kind.event.weight > 0 and state.moved_shared(own[0], kind.sequence)
        if item != NO_ITEM and counted:
            popular |= without_count(state, item, kind.event.time_us, kind.event.weight)
    return taken_back(state, cells, np.array(sorted(popular), np.int64))


def _without_events(
    state: TenantState, changes: Changes, dictionary: ItemDictionary, rows: Ints
) -> None:
    """Take from items that have no event left what fades with events."""
    table = state.popular.table
    trending = rows[np.isfinite(table[rows, TREND])]
    # A checkpoint of before there were trends may have none.
    if trending.size:
        nothing = np.full(trending.size, -np.inf)
        state.popular.assign_trends(trending, nothing)
        changes.trends = TrendRows(dictionary.indices(trending), nothing)
    held = np.argwhere(np.isfinite(table[rows, :LEVEL]))
    items, places = rows[held[:, 0]], held[:, 1].astype(np.int64)
    if items.size:
        levels = np.full(items.size, -np.inf)
        state.popular.assign_places(items, places, levels)
        changes.context_popularity = PlaceCells(dictionary.indices(items), places, levels)


def _without_gains(
    state: TenantState,
    user: int,
    before: Sequence[PastEvent],
    after: Sequence[PastEvent],
    merged: Mapping[int, int],
) -> ChangedCells:
    """Give rules what the events after gain instead of what those before gained. merged: log
    sequences of merges by those of the events that came by them.
    """
    lost = _gains(state, user, before, merged)
    for pair, gain in _gains(state, user, after, merged).items():
        lost[pair] = lost.get(pair, 0.0) - gain
    moved = {pair: gain for pair, gain in sorted(lost.items()) if abs(gain) > 1e-9}
    rows = np.array([row for row, _ in moved], np.int64)
    cols = np.array([col for _, col in moved], np.int64)
    return state.rules.take_back(rows, cols, np.array(list(moved.values()), np.float32))


def _gains(
    state: TenantState, user: int, past: Sequence[PastEvent], merged: Mapping[int, int]
) -> dict[tuple[int, int], float]:
    """Return what a user's remembered events gained, by (row, col)."""
    if not past:
        return {}
    # As the events were recorded, one after the other in log order; what came by a merge came then,
    # and gained nothing here.
    past = sorted(past, key=lambda one: (merged.get(one.sequence, one.sequence), one.sequence))
    table, rules = UserTable(state.users.length), state.rules
    items = np.array([event.item for event in past], np.int64)
    weights = np.array([event.weight for event in past], np.float32)
    sequences = np.array([event.sequence for event in past], np.int64)
    own = table.rows([b"u"] * len(past))
    times_us = np.array([event.time_us for event in past], np.int64)
    before = table.record(own, items, weights, times_us, sequences)
    histories = state.held.without(np.full(items.size, user), sequences, before).items
    admitted = [
        event.sequence not in merged and state.moved_shared(user, event.sequence) for event in past
    ]
    taught = np.where(admitted, weights, np.float32(0))
    rows, cols, gains = pair_gains(items, histories, taught, rules.n_items, rules.config)
    return {
        (row, col): gain
        for row, col, gain in zip(rows.tolist(), cols.tolist(), gains.tolist(), strict=True)
    }


def without_count(state: TenantState, item: int, time_us: int, weight: float) -> set[int]:
    """Take an event of positive weight from the popularity of an item; return the item, or nothing
    where it has no event.
    """
    if state.counts[item] <= 0:
        return set()
    row, left = np.array([item]), state.counts[[item]] - 1
    level = without_event(
        float(state.levels[item]), float(left[0]), time_us / 1e6, weight, state.config.popularity
    )
    state.set_popular(row, np.array([level]), left)
    return {item}


def taken_back(state: TenantState, cells: Sequence[ChangedCells], popular: Ints) -> Changes:
    """Return what is told of rules that were changed and items that lost popularity."""
    touched = _latest_cells(state.rules, cells)
    dictionary = ItemDictionary(
        state.items,
        [touched.rows.astype(np.int64), touched.cols.astype(np.int64), popular],
    )
    changes = Changes(state.tenant, dictionary.item_ids, active=state.active)
    changes.rules = dictionary.rule_changes(touched)
    if popular.size:
        changes.popularity = PopularityRows(
            dictionary.indices(popular), state.levels[popular], state.counts[popular]
        )
        _without_events(state, changes, dictionary, popular[state.counts[popular] == 0])
    return changes


def _latest_cells(rules: RuleTable, cells: Sequence[ChangedCells]) -> ChangedCells:
    """Return cells, each once, with what they hold now."""
    places = sorted({
        (row, slot) for one in cells
        for row, slot in zip(one.rows.tolist(), one.slots.tolist(), strict=True)
    })  # fmt: skip
    rows = np.array([row for row, _ in places], np.int32)
    slots = np.array([slot for _, slot in places], np.int32)
    return ChangedCells(rows, slots, rules.cols[rows, slots], rules.vals[rows, slots])
