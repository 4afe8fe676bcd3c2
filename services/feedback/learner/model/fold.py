"""Folding what steps changed: a learner's way back to its state, without learning again."""

from collections.abc import Sequence

import numpy as np

from services.feed.parameters import Ints
from services.feedback.learner.model.changes import (
    GRANTED_CODES,
    Changes,
    RecentItems,
    SpaceChanges,
)
from services.feedback.learner.model.daily_cap import Stretch
from services.feedback.learner.model.entries import LogEntry
from services.feedback.learner.model.learning_consents import LearningDecision
from services.feedback.learner.model.lifecycle_step import fold_lifecycle
from services.feedback.learner.model.sequential_rules import ChangedCells
from services.feedback.learner.model.step import States
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from services.feedback.learner.model.user_links import LinkChange
from services.feedback.learner.model.user_step import (
    fold_events_of_users,
    fold_pins_of_users,
    note_consents,
)
from services.feedback.learner.model.user_table import PastEvent
from services.feedback.learner.model.vector_space import VectorSpace


def fold(
    states: States,
    all_changes: Sequence[Changes],
    config: LearningConfig,
    entries: Sequence[LogEntry] = (),
    now_us: int | None = None,
) -> None:
    """Apply the changes of one step, or a chunk of a checkpoint.

    Of a step: `entries` are those of the log that say something of users, `now_us` is when its last
    entry was accepted.
    """
    # Events come before the vectors that they led to: a step sees vectors as of its start, and
    # which items exist does not change within a step of events.
    known = set(states)
    note_consents(states, entries, known)
    fold_events_of_users(states, entries)
    for changes in all_changes:
        state = states.get(changes.tenant)
        if state is None and changes.activated is not None:
            state = states[changes.tenant] = TenantState(changes.tenant, changes.activated, config)
        _fold_tenant(states[changes.tenant], changes)
    fold_pins_of_users(states, entries)
    note_consents(states, entries, states.keys() - known)
    if now_us is not None:
        for state in states.values():
            state.take_touched(now_us)


def _fold_tenant(state: TenantState, changes: Changes) -> None:
    items = state.items
    fold_lifecycle(state, changes)
    for item_id, payload in changes.upserted:
        items.upsert(item_id, payload)
    for item_id in changes.deleted:
        items.delete(item_id)
    for document in changes.documents:
        state.set_document(document)
    state.fit_items()
    ordinals = items.ordinals(changes.item_ids)
    for part in changes.spaces:
        _fold_space(state.spaces[part.generation_id], part, ordinals)
    if changes.rules is not None:
        rules = changes.rules
        state.rules.assign(
            ChangedCells(
                ordinals[rules.sources].astype(np.int32),
                rules.slots.astype(np.int32),
                ordinals[rules.targets].astype(np.int32),
                rules.weights,
            )
        )
    if changes.popularity is not None:
        rows = ordinals[changes.popularity.items]
        state.set_popular(rows, changes.popularity.levels, changes.popularity.counts)
    if changes.events is not None:
        state.events = changes.events
    if changes.allowance is not None:
        own = changes.allowance
        state.allowance.restore(ordinals[own.items], own.sums, own.figures, own.places)
    if changes.context_popularity is not None:
        cells = changes.context_popularity
        state.popular.assign_places(ordinals[cells.items], cells.places, cells.levels)
    if changes.trends is not None:
        state.popular.assign_trends(ordinals[changes.trends.items], changes.trends.levels)
    if changes.slates is not None:
        state.slates.fold(changes.slates)
    if changes.recent is not None:
        _restore_users(state, changes.recent, ordinals)


def _fold_space(space: VectorSpace, changes: SpaceChanges, ordinals: Ints) -> None:
    if changes.bases is not None:
        bases = changes.bases
        space.set_bases(ordinals[bases.items], bases.vectors, bases.trained)
    # Of nobody the wire has no dimension: the checkpoint of a tenant without items.
    if changes.vectors is not None and changes.vectors.items.size:
        part = changes.vectors
        if part.learned:
            space.learn(ordinals[part.items], part.vectors)
        else:
            space.place(ordinals[part.items], part.vectors, part.biases, part.pinned)
    if changes.status is not None:
        space.set_status(changes.status)
    if changes.factor is not None:
        space.published = space.gramian.copy()
    # The rest is of checkpoints only.
    if changes.published_gramian is not None:
        space.published = changes.published_gramian.copy()
    if changes.reference is not None and space.reference is not None:
        rows = ordinals[changes.reference.items]
        space.reference.vectors[rows] = changes.reference.vectors
    if changes.gramian is not None and changes.factor_gramian is not None:
        space.live.restore(changes.gramian.copy(), changes.factor_gramian.copy())
    if (
        space.reference is not None
        and changes.reference_gramian is not None
        and changes.reference_factor_gramian is not None
    ):
        space.reference.restore(
            changes.reference_gramian.copy(), changes.reference_factor_gramian.copy()
        )


def _restore_users(state: TenantState, recent: RecentItems, ordinals: Ints) -> None:
    rows = state.users.rows(recent.user_keys)
    ends = np.cumsum(recent.lengths)
    for row, end, length in zip(rows, ends, recent.lengths, strict=True):
        part_of = slice(int(end - length), int(end))
        state.users.restore(
            int(row),
            ordinals[recent.items[part_of]],
            recent.weights[part_of],
            recent.times_us[part_of],
            recent.sequences[part_of],
        )
    hidden = recent.hidden
    for user, item, weight, time_us, sequence in zip(
        rows[hidden.users].tolist(),
        ordinals[hidden.items].tolist(),
        hidden.weights.tolist(),
        hidden.times_us.tolist(),
        hidden.sequences.tolist(),
        strict=True,
    ):
        state.users.restore_hidden(user, PastEvent(sequence, item, weight, time_us))
    state.users.pinned[rows[recent.pinned_users]] = True
    influence = recent.influence
    state.influence.restore(rows[: influence.days.size], influence.days, influence.counts)
    for user, first, last in zip(
        rows[influence.beyond_users].tolist(),
        influence.beyond_first.tolist(),
        influence.beyond_last.tolist(),
        strict=True,
    ):
        state.influence.restore_beyond(user, Stretch(first, last))
    decided = recent.consents
    for user, sequence, code in zip(
        rows[decided.users].tolist(), decided.sequences.tolist(), decided.codes.tolist(),
        strict=True,
    ):  # fmt: skip
        decision = LearningDecision(sequence, GRANTED_CODES[code])
        state.consents.restore(state.users.keys[user], decision)
    for user, sequence, into in recent.links:
        state.links.note(state.users.keys[rows[user]], LinkChange(sequence, into))
    for user, sequence, merge in recent.merged_events:
        state.merged_events.restore(int(rows[user]), sequence, merge)
    held = recent.held
    for user, sequence, item in zip(
        rows[held.users].tolist(),
        held.sequences.tolist(),
        ordinals[held.items].tolist(),
        strict=True,
    ):
        state.held.add(user, sequence, item)
    if recent.touched_users.size:
        state.touched.update(rows[recent.touched_users].tolist())
        state.touched_since_us = recent.touched_since_us
