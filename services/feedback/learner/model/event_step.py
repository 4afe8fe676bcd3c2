"""Events: users, item vectors, sequential rules, popularity, all in one micro-batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.feed.parameters import (
    Doubles,
    Flags,
    Floats,
    Ints,
    PlaceCells,
    PopularityRows,
    VectorRows,
)
from services.feedback.learner.model.changes import Changes, SpaceChanges
from services.feedback.learner.model.context_popularity import COLUMNS, add_in_contexts
from services.feedback.learner.model.entries import LogEntry
from services.feedback.learner.model.item_dictionary import ItemDictionary
from services.feedback.learner.model.item_step import bpr_step, draw_negatives
from services.feedback.learner.model.popularity import add_counts, add_events
from services.feedback.learner.model.space_comparisons import Compared, compare
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_step import EventRows, record_events
from services.feedback.learner.model.user_table import NO_ITEM, Histories
from services.feedback.learner.model.vector_space import VectorSpace


@dataclass(frozen=True, slots=True)
class _Known:
    """Those of the events whose item exists, with the histories just before them."""

    items: Ints
    weights: Floats
    times_us: Ints
    before: Histories

    @classmethod
    def of(cls, columns: EventRows, before: Histories) -> "_Known":
        """Return those of a step."""
        known = columns.items != NO_ITEM
        if known.all():
            return cls(columns.items, columns.weights, columns.times_us, before)
        return cls(
            columns.items[known],
            columns.weights[known],
            columns.times_us[known],
            Histories(before.items[known], before.weights[known], before.times_us[known]),
        )


def event_step(state: TenantState, entries: Sequence[LogEntry], version: int = 0) -> Changes:
    """Learn from events; return what changed. `version`: that the step leads to."""
    spaces = state.built_spaces()
    for space in spaces:
        space.settle_factor()
    columns, before, admitted = record_events(state, entries)
    shared = _shared(columns, admitted)
    exists = state.items.exists
    users_before = {space.generation_id: space.live.encode(before, exists) for space in spaces}
    statuses, rollback = compare(
        state, Compared(shared.sequences, shared.items, shared.weights, before, users_before),
        version,
    )  # fmt: skip
    moved = [_learn_vectors(state, space, shared, users_before) for space in spaces]
    known = _Known.of(shared, before)
    cells = state.rules.update_batch(known.items, known.before.items, known.weights)
    # Before the counts: their sum is the clock that places fade by.
    places = _learn_places(state, known)
    popular, levels, counts = _learn_popularity(state, known)

    dictionary = ItemDictionary(
        state.items,
        [*(rows for rows, _ in moved), cells.rows.astype(np.int64),
         cells.cols.astype(np.int64), popular],
    )  # fmt: skip
    changes = Changes(state.tenant, dictionary.item_ids, active=state.active, rollback=rollback)
    changes.beyond_influence = int(np.count_nonzero(columns.items != shared.items))
    for space, (rows, item_vectors) in zip(spaces, moved, strict=True):
        own = SpaceChanges(space.generation_id)
        if rows.size:
            space.learn(rows, item_vectors)
            own.vectors = VectorRows(
                dictionary.indices(rows),
                item_vectors,
                space.biases[rows],
                space.pinned[rows],
                learned=True,
                unit=space.unit(state.config.item_step),
            )
        own.status = statuses.get(space.generation_id)
        if own.status is not None:
            space.set_status(own.status)
        if own.vectors is not None or own.status is not None:
            changes.spaces.append(own)
    changes.rules = dictionary.rule_changes(cells)
    if popular.size:
        changes.popularity = PopularityRows(dictionary.indices(popular), levels, counts)
        changes.context_popularity = PlaceCells(
            dictionary.indices(places.items), places.places, places.levels
        )
    return changes


def _shared(columns: EventRows, admitted: Flags) -> EventRows:
    """Return the events as those see them who learn for all users: without what is beyond the
    daily influence of one user.
    """
    kept = admitted | (columns.weights == 0)
    if kept.all():
        return columns
    return replace(columns, items=np.where(kept, columns.items, NO_ITEM))


def _learn_vectors(
    state: TenantState, space: VectorSpace, columns: EventRows, users_before: Mapping[str, Floats]
) -> tuple[Ints, Floats]:
    """Return the item rows that move, and where to; they are set at the end of the step."""
    users = users_before[space.generation_id]
    teaches = (columns.items != NO_ITEM) & (columns.weights > 0) & users.any(axis=1)
    # Vectors that are on their way back to the reference rest meanwhile.
    if space.status.rolling_back_since or not teaches.any():
        return np.zeros(0, np.int64), np.zeros((0, space.dimension), np.float32)
    config = state.config.item_step
    negatives = draw_negatives(columns.sequences[teaches], len(state.items), config)
    rows, vectors = bpr_step(
        users[teaches],
        columns.items[teaches],
        columns.weights[teaches],
        # An item that is gone teaches nothing as a negative: one that equals the positive is
        # skipped.
        np.where(state.items.exists[negatives], negatives, columns.items[teaches][:, np.newaxis]),
        space.vectors,
        space.bases,
        space.bounded(config),
    )
    free = ~space.pinned[rows]
    if free.all():
        return rows, vectors
    return rows[free], vectors[free]


def _learn_popularity(state: TenantState, known: _Known) -> tuple[Ints, Doubles, Doubles]:
    rows, levels = add_events(
        state.levels, known.items, known.times_us / 1e6, known.weights, state.config.popularity
    )
    _, counts = add_counts(state.counts, known.items, known.weights)
    state.levels[rows] = levels
    state.set_counts(rows, counts)
    return rows, levels, counts


def _learn_places(state: TenantState, known: _Known) -> PlaceCells:
    """Return the cells that changed, by ordinal."""
    cells, levels = add_in_contexts(
        state.places,
        state.events,
        known.items,
        known.weights,
        known.before,
        known.times_us,
        state.config.places,
    )
    items, places = np.divmod(cells, COLUMNS)
    state.places[items, places] = levels
    return PlaceCells(items, places, levels)
