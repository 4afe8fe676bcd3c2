"""Events: users, item vectors, sequential rules, popularity, all in one micro-batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from services.common.ranking.popularity import COLUMNS, TREND
from services.feed.parameters import (
    Doubles,
    Flags,
    Floats,
    Ints,
    PlaceCells,
    PopularityRows,
    RuleCells,
    TrendRows,
    VectorRows,
)
from services.feedback.learner.model.changes import BaseChanges, Changes, SpaceChanges
from services.feedback.learner.model.choices.step import choice_step
from services.feedback.learner.model.context_popularity import add_in_contexts
from services.feedback.learner.model.entries import Event, LogEntry
from services.feedback.learner.model.item_dictionary import ItemDictionary
from services.feedback.learner.model.item_step import POOL, bpr_step, draw_negatives
from services.feedback.learner.model.popularity import PopularityConfig, add_counts, add_events
from services.feedback.learner.model.space_comparisons import Compared, compare
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_step import EventRows, link_users, record_events
from services.feedback.learner.model.user_table import NO_ITEM, Histories
from services.feedback.learner.model.vector_space import VectorSpace
from services.feedback.learner.model.young_items import Alike


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
    """Learn from events, and take note of links; return what changed. `version`: that the step
    leads to.
    """
    if not any(isinstance(entry.kind, Event) for entry in entries):
        link_users(state, entries)
        return Changes(state.tenant, active=state.active)
    spaces = state.built_spaces()
    for space in spaces:
        space.settle_factor()
    columns, recorded = record_events(state, entries)
    shared = _shared(columns, recorded.admitted)
    # What was held of a user before teaches nothing, as what came before something else either.
    before = state.held.without(columns.users, columns.sequences, recorded.before)
    exists = state.items.exists
    users_before = {space.generation_id: space.live.encode(before, exists) for space in spaces}
    statuses, rollback = compare(
        state, Compared(shared.sequences, shared.items, shared.weights, before, users_before),
        version,
    )  # fmt: skip
    # What would have been shown comes from the state before it learns.
    chosen = choice_step(state, shared, users_before[state.active])
    alike = _alike(state, shared.sequences)
    moved = [
        state.young.with_young(space, alike, *_learn_vectors(state, space, shared, users_before),
                   state.config.item_step)
        for space in spaces
    ]  # fmt: skip
    known = _Known.of(shared, before)
    cells = state.rules.update_batch(known.items, known.before.items, known.weights)
    popular = _learn_popularity(state, known)

    dictionary = ItemDictionary(
        state.items,
        [cells.rows.astype(np.int64), cells.cols.astype(np.int64), popular.rows,
         popular.places.items, *(one.rows for one in moved)],
        state.config.core,
    )  # fmt: skip
    changes = Changes(state.tenant, dictionary.item_ids, active=state.active, rollback=rollback)
    changes.slates = chosen
    changes.held = int(np.count_nonzero(recorded.within & ~recorded.admitted))
    changes.beyond_influence = int(np.count_nonzero(columns.items != shared.items)) - changes.held
    for column, (space, move) in enumerate(zip(spaces, moved, strict=True), 4):
        own = SpaceChanges(space.generation_id)
        if move.based.size:
            trained = np.zeros(move.based.size, np.bool_)
            space.set_bases(move.based, move.bases, trained)
            own.bases = BaseChanges(dictionary.indices(move.based), move.bases, trained)
        if move.rows.size:
            space.learn(move.rows, move.vectors)
            own.vectors = VectorRows(
                dictionary.column(column),
                move.vectors,
                space.biases[move.rows],
                space.pinned[move.rows],
                learned=True,
                unit=space.unit(state.config.item_step),
            )
        own.status = statuses.get(space.generation_id)
        if own.status is not None:
            space.set_status(own.status)
        if own.vectors is not None or own.status is not None:
            changes.spaces.append(own)
    if cells.rows.size:
        changes.rules = RuleCells(
            dictionary.column(0), cells.slots.astype(np.int64), dictionary.column(1), cells.values
        )
    if popular.rows.size:
        changes.popularity = PopularityRows(dictionary.column(2), popular.levels, popular.counts)
        changes.trends = TrendRows(dictionary.column(2), popular.trends)
        changes.context_popularity = PlaceCells(
            dictionary.column(3), popular.places.places, popular.places.levels
        )
    return changes


def _shared(columns: EventRows, admitted: Flags) -> EventRows:
    """Return the events as those see them who learn for all users: without what is beyond the
    daily influence of one user, and what is held.
    """
    kept = admitted | (columns.weights == 0)
    if kept.all():
        return columns
    return replace(columns, items=np.where(kept, columns.items, NO_ITEM))


def _alike(state: TenantState, sequences: Ints) -> Alike | None:
    """Return what young items are placed by after this step; None: they are not, this time."""
    # Where events move no vector, nothing that follows from events does.
    if state.config.item_step.eta <= 0:
        return None
    return state.young.alike(state.items, state.levels, state.counts, sequences)


def _learn_vectors(
    state: TenantState, space: VectorSpace, columns: EventRows, users_before: Mapping[str, Floats]
) -> tuple[Ints, Floats]:
    """Return the item rows that move, and where to; they are set at the end of the step."""
    users = users_before[space.generation_id]
    # Vectors that are on their way back to the reference rest meanwhile.
    if space.status.rolling_back_since:
        return np.zeros(0, np.int64), np.zeros((0, space.dimension), np.float32)
    rows, vectors = _item_vectors(state, space, columns, users)
    free = ~space.pinned[rows]
    if free.all():
        return rows, vectors
    return rows[free], vectors[free]


def _item_vectors(
    state: TenantState, space: VectorSpace, columns: EventRows, users: Floats
) -> tuple[Ints, Floats]:
    config, core = space.bounded(state.config.item_step), state.config.core
    if core is not None:
        return core.learn_items(
            users, columns.items, columns.weights, columns.sequences, state.items.exists,
            len(state.items), space.vectors, space.bases, config.eta, config.temperature,
            config.negatives, config.seed % 2**64, config.pull, config.max_norm, config.max_drift,
            config.max_weight, POOL,
        )  # fmt: skip
    teaches = (columns.items != NO_ITEM) & (columns.weights > 0) & users.any(axis=1)
    if not teaches.any():
        return np.zeros(0, np.int64), np.zeros((0, space.dimension), np.float32)
    negatives = draw_negatives(columns.sequences[teaches], len(state.items), config)
    return bpr_step(
        users[teaches],
        columns.items[teaches],
        columns.weights[teaches],
        # An item that is gone teaches nothing as a negative: one that equals the positive is
        # skipped.
        np.where(state.items.exists[negatives], negatives, columns.items[teaches][:, np.newaxis]),
        space.vectors,
        space.bases,
        config,
    )


class _Popular(NamedTuple):
    """What events made of popularity: rows of items with levels, counts and trends, and cells of
    places.
    """

    rows: Ints
    levels: Doubles
    counts: Doubles
    trends: Doubles
    places: PlaceCells


def _learn_popularity(state: TenantState, known: _Known) -> _Popular:
    """Return what changed, by ordinal."""
    rows, levels, counts, trends, cells, place_levels = _counted(state, known)
    state.set_popular(rows, levels, counts)
    state.popular.assign_trends(rows, trends)
    items, places = np.divmod(cells, COLUMNS)
    state.popular.assign_places(items, places, place_levels)
    return _Popular(rows, levels, counts, trends, PlaceCells(items, places, place_levels))


def _counted(
    state: TenantState, known: _Known
) -> tuple[Ints, Doubles, Doubles, Doubles, Ints, Doubles]:
    config, core = state.config, state.config.core
    table = state.popular.table
    if core is not None:
        return core.count_events(
            table, state.events, known.items, known.weights, known.times_us, known.before.items,
            known.before.times_us, config.popularity.half_life_s, config.places.half_life_events,
            config.places.trend_events,
        )  # fmt: skip
    rows, levels = add_events(
        state.levels, known.items, known.times_us / 1e6, known.weights, config.popularity
    )
    _, counts = add_counts(state.counts, known.items, known.weights)
    cells, place_levels = add_in_contexts(
        table, state.events, known.items, known.weights, known.before, known.times_us,
        config.places,
    )  # fmt: skip
    _, trends = add_events(
        table[:, TREND], known.items, state.events + (known.weights > 0).cumsum(), known.weights,
        PopularityConfig(config.places.trend_events),
    )  # fmt: skip
    return rows, levels, counts, trends, cells, place_levels
