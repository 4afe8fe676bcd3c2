"""Folding what steps changed: a learner's way back to its state, without learning again."""

from collections.abc import Sequence

import numpy as np

from services.feedback.domain.changes import Changes, Ints
from services.feedback.domain.sequential_rules import ChangedCells
from services.feedback.domain.step import States
from services.feedback.domain.tenant_state import LearningConfig, TenantState
from services.feedback.domain.user_table import NO_ITEM


def fold(states: States, all_changes: Sequence[Changes], config: LearningConfig) -> None:
    """Apply the changes of one step, or a chunk of a checkpoint."""
    for changes in all_changes:
        if changes.activated is not None:
            states[changes.tenant] = TenantState(changes.tenant, changes.activated, config)
        _fold_tenant(states[changes.tenant], changes)


def _fold_tenant(state: TenantState, changes: Changes) -> None:
    items = state.items
    for item_id, payload in changes.upserted:
        items.upsert(item_id, payload)
    for item_id in changes.deleted:
        items.delete(item_id)
    state.fit_items()
    ordinals = items.ordinals(changes.item_ids)
    # Events come before the vectors that they led to: a step sees vectors as of its start, and
    # which items exist does not change within a step of events.
    _fold_users(state, changes, ordinals)
    if changes.bases is not None:
        items.set_bases(ordinals[changes.bases.items], changes.bases.vectors)
    if changes.vectors is not None:
        part = changes.vectors
        items.set_vectors(ordinals[part.items], part.vectors, part.biases, part.pinned)
    if changes.rules is not None:
        cells = changes.rules
        state.rules.assign(
            ChangedCells(
                ordinals[cells.sources].astype(np.int32),
                cells.slots.astype(np.int32),
                ordinals[cells.targets].astype(np.int32),
                cells.weights,
            )
        )
    if changes.popularity is not None:
        rows = ordinals[changes.popularity.items]
        state.levels[rows] = changes.popularity.levels
        state.counts[rows] = changes.popularity.counts
    if changes.gramian is not None:
        items.gramian = changes.gramian.copy()
    if changes.factor_gramian is not None:
        state.restore_factor(changes.factor_gramian.copy())


def _fold_users(state: TenantState, changes: Changes, ordinals: Ints) -> None:
    if changes.users is not None:
        part = changes.users
        rows = state.users.rows(part.user_keys)
        if part.events.items.size:
            state.settle_factor()
            touched = ordinals[part.events.items]
            gone = (touched >= 0) & ~state.items.exists[touched]
            touched = np.where(gone, NO_ITEM, touched)
            state.users.record(
                rows[part.events.users], touched, part.events.weights, part.events.times_us
            )
        else:
            state.users.pinned[rows[part.vector_users]] = part.pinned
    if changes.recent is not None:
        recent = changes.recent
        rows = state.users.rows(recent.user_keys)
        ends = np.cumsum(recent.lengths)
        for row, end, length in zip(rows, ends, recent.lengths, strict=True):
            part_of = slice(int(end - length), int(end))
            state.users.restore(
                int(row),
                ordinals[recent.items[part_of]],
                recent.weights[part_of],
                recent.times_us[part_of],
            )
        state.users.pinned[rows[recent.pinned_users]] = True
