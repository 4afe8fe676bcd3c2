"""Folding what steps changed: a learner's way back to its state, without learning again."""

from collections.abc import Sequence

import numpy as np

from services.feedback.domain.changes import Changes, Ints, RecentItems, SpaceChanges
from services.feedback.domain.daily_influence import Stretch
from services.feedback.domain.lifecycle_step import fold_lifecycle
from services.feedback.domain.sequential_rules import ChangedCells
from services.feedback.domain.step import States
from services.feedback.domain.tenant_state import LearningConfig, TenantState
from services.feedback.domain.user_table import NO_ITEM, PastEvent
from services.feedback.domain.vector_space import VectorSpace


def fold(states: States, all_changes: Sequence[Changes], config: LearningConfig) -> None:
    """Apply the changes of one step, or a chunk of a checkpoint."""
    for changes in all_changes:
        state = states.get(changes.tenant)
        if state is None and changes.activated is not None:
            state = states[changes.tenant] = TenantState(changes.tenant, changes.activated, config)
        _fold_tenant(states[changes.tenant], changes)


def _fold_tenant(state: TenantState, changes: Changes) -> None:
    items = state.items
    fold_lifecycle(state, changes)
    for item_id, payload in changes.upserted:
        items.upsert(item_id, payload)
    for item_id in changes.deleted:
        items.delete(item_id)
    state.fit_items()
    ordinals = items.ordinals(changes.item_ids)
    # Events come before the vectors that they led to: a step sees vectors as of its start, and
    # which items exist does not change within a step of events.
    _fold_users(state, changes, ordinals)
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
        state.levels[rows] = changes.popularity.levels
        state.set_counts(rows, changes.popularity.counts)
    if changes.places is not None:
        cells = changes.places
        state.places[ordinals[cells.items], cells.places] = cells.levels
    if changes.slates is not None:
        state.slates.fold(changes.slates)


def _fold_space(space: VectorSpace, changes: SpaceChanges, ordinals: Ints) -> None:
    if changes.bases is not None:
        bases = changes.bases
        space.set_bases(ordinals[bases.items], bases.vectors, bases.trained)
    if changes.vectors is not None:
        part = changes.vectors
        if part.learned:
            space.learn(ordinals[part.items], part.vectors)
        else:
            space.place(ordinals[part.items], part.vectors, part.biases, part.pinned)
    if changes.status is not None:
        space.set_status(changes.status)
    # The rest is of checkpoints only.
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


def _fold_users(state: TenantState, changes: Changes, ordinals: Ints) -> None:
    if changes.users is not None:
        part = changes.users
        rows = state.users.rows(part.user_keys)
        if part.events.items.size:
            for space in state.built_spaces():
                space.settle_factor()
            touched = ordinals[part.events.items]
            gone = (touched >= 0) & ~state.items.exists[touched]
            touched = np.where(gone, NO_ITEM, touched)
            state.record(
                rows[part.events.users],
                touched,
                part.events.weights,
                part.events.times_us,
                part.events.sequences,
            )
        elif part.retracted is not None:
            for user, sequence in zip(
                rows[part.retracted.users].tolist(), part.retracted.sequences.tolist(), strict=True
            ):
                state.users.forget(user, sequence)
        else:
            state.users.pinned[rows[part.vector_users]] = part.pinned
    if changes.recent is not None:
        _restore_users(state, changes.recent, ordinals)


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
