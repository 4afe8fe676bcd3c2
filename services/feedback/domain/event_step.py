"""Events: user vectors, item vectors, sequential rules, popularity, all in one micro-batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.common.tied_ranks import tied_ranks
from services.feedback.domain.changes import (
    Changes,
    Doubles,
    EventColumns,
    Flags,
    Floats,
    Ints,
    PopularityChanges,
    RuleChanges,
    UserChanges,
    VectorChanges,
)
from services.feedback.domain.entries import Event, LogEntry
from services.feedback.domain.fold_in import fold_in, recency_weights
from services.feedback.domain.item_dictionary import ItemDictionary
from services.feedback.domain.item_step import bpr_step, draw_negatives
from services.feedback.domain.norm_bound import within_norm
from services.feedback.domain.popularity import add_counts, add_events
from services.feedback.domain.tenant_state import TenantState
from services.feedback.domain.user_table import NO_ITEM, Histories


@dataclass(frozen=True, slots=True)
class _Columns:
    """Events of a step: user rows, item ordinals (NO_ITEM when gone), and the rest."""

    events: list[Event]
    sequences: Ints
    users: Ints
    items: Ints
    weights: Floats
    times_us: Ints


def event_step(state: TenantState, entries: Sequence[LogEntry]) -> Changes:
    """Learn from events; return what changed."""
    state.settle_factor()
    columns = _columns(state, entries)
    before = state.users.record(columns.users, columns.items, columns.weights, columns.times_us)
    touched = np.unique(columns.users)
    touched = touched[~state.users.pinned[touched]]
    # Both see the items as of the start of the step: one batch serves both.
    vectors = _user_vectors(state, _joined(before, state.users.histories(touched)))
    users_before, users_after = vectors[: len(columns.events)], vectors[len(columns.events) :]
    item_rows, item_vectors = _learn_vectors(state, columns, users_before)
    known = columns.items != NO_ITEM
    cells = state.rules.update_batch(
        columns.items[known], before.items[known], columns.weights[known]
    )
    popular, levels, counts = _learn_popularity(state, columns, known)

    dictionary = ItemDictionary(
        state.items,
        [columns.items, item_rows, cells.rows.astype(np.int64), cells.cols.astype(np.int64),
         popular],
    )  # fmt: skip
    changes = Changes(state.tenant, dictionary.item_ids)
    changes.users = _user_changes(state, columns, dictionary, touched, users_after)
    if item_rows.size:
        biases = state.items.biases[item_rows]
        pinned = state.items.pinned[item_rows]
        state.items.set_vectors(item_rows, item_vectors, biases, pinned)
        changes.vectors = VectorChanges(dictionary.indices(item_rows), item_vectors, biases, pinned)
    if cells.rows.size:
        changes.rules = RuleChanges(
            dictionary.indices(cells.rows.astype(np.int64)),
            cells.slots.astype(np.int64),
            dictionary.indices(cells.cols.astype(np.int64)),
            cells.values,
        )
    if popular.size:
        changes.popularity = PopularityChanges(dictionary.indices(popular), levels, counts)
    return changes


def _columns(state: TenantState, entries: Sequence[LogEntry]) -> _Columns:
    events = [entry.kind for entry in entries if isinstance(entry.kind, Event)]
    items = state.items.ordinals(event.item_id for event in events)
    gone = (items >= 0) & ~state.items.exists[items]
    items[gone] = NO_ITEM
    return _Columns(
        events=events,
        sequences=np.array([entry.sequence for entry in entries], np.int64),
        users=state.users.rows([event.user_key for event in events]),
        items=items,
        weights=np.array([event.weight for event in events], np.float32),
        times_us=np.array([event.time_us for event in events], np.int64),
    )


def _joined(first: Histories, second: Histories) -> Histories:
    return Histories(
        np.concatenate([first.items, second.items]),
        np.concatenate([first.weights, second.weights]),
        np.concatenate([first.times_us, second.times_us]),
    )


def _learn_vectors(
    state: TenantState, columns: _Columns, users_before: Floats
) -> tuple[Ints, Floats]:
    """Return the item rows that move, and where to; they are set at the end of the step."""
    teaches = (columns.items != NO_ITEM) & (columns.weights > 0) & users_before.any(axis=1)
    if not teaches.any():
        return np.zeros(0, np.int64), np.zeros((0, state.items.dimension), np.float32)
    config = state.config.item_step
    negatives = draw_negatives(columns.sequences[teaches], len(state.items), config)
    rows, vectors = bpr_step(
        users_before[teaches],
        columns.items[teaches],
        columns.weights[teaches],
        # An item that is gone teaches nothing as a negative: one that equals the positive is
        # skipped.
        np.where(state.items.exists[negatives], negatives, columns.items[teaches][:, np.newaxis]),
        state.items.vectors,
        state.items.bases,
        config,
    )
    free = ~state.items.pinned[rows]
    return rows[free], vectors[free]


def _user_vectors(state: TenantState, histories: Histories) -> Floats:
    """Return the vectors [n, d] of histories, bounded by the generation's norm."""
    present = (histories.items != NO_ITEM) & state.items.exists[histories.items]
    items = np.where(present, histories.items, NO_ITEM)
    ranks = tied_ranks(histories.times_us // 1_000_000)
    weights = recency_weights(items, ranks, state.generation.decay) * histories.weights
    vectors = fold_in(state.items.vectors, items, weights, state.factor())
    return within_norm(vectors, state.generation.max_norm)


def _learn_popularity(
    state: TenantState, columns: _Columns, known: Flags
) -> tuple[Ints, Doubles, Doubles]:
    items, weights = columns.items[known], columns.weights[known]
    times = columns.times_us[known] / 1e6
    rows, levels = add_events(state.levels, items, times, weights, state.config.popularity)
    _, counts = add_counts(state.counts, items, weights)
    state.levels[rows] = levels
    state.counts[rows] = counts
    return rows, levels, counts


def _user_changes(
    state: TenantState,
    columns: _Columns,
    dictionary: ItemDictionary,
    touched: Ints,
    vectors: Floats,
) -> UserChanges:
    rows = np.unique(columns.users)
    types = sorted({event.type for event in columns.events})
    index_of_type = {name: index for index, name in enumerate(types)}
    items = np.array(
        [
            dictionary.index_of_unknown(event.item_id) if ordinal == NO_ITEM else -1
            for event, ordinal in zip(columns.events, columns.items.tolist(), strict=True)
        ],
        np.int64,
    )
    known = columns.items != NO_ITEM
    items[known] = dictionary.indices(columns.items[known])
    return UserChanges(
        user_keys=[state.users.keys[row] for row in rows.tolist()],
        types=types,
        events=EventColumns(
            users=np.searchsorted(rows, columns.users).astype(np.int64),
            items=items,
            types=np.array([index_of_type[event.type] for event in columns.events], np.int64),
            values=np.array([event.value for event in columns.events], np.float64),
            times_us=columns.times_us,
            sequences=columns.sequences,
            weights=columns.weights,
        ),
        vector_users=np.searchsorted(rows, touched).astype(np.int64),
        vectors=vectors,
        pinned=np.zeros(len(touched), np.bool_),
    )
