"""Catalogue changes and vectors that a backend sets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.feedback.domain.changes import (
    BaseChanges,
    Changes,
    EventColumns,
    Floats,
    UserChanges,
    VectorChanges,
)
from services.feedback.domain.entries import EmbeddingPut, ItemDeleted, ItemUpserted, LogEntry
from services.feedback.domain.item_dictionary import ItemDictionary
from services.feedback.domain.norm_bound import within_norm
from services.feedback.domain.tenant_state import TenantState


@dataclass(slots=True)
class _Row:
    """What an item's row is to be at the end of the step."""

    vector: Floats
    bias: float
    pinned: bool


def catalogue_step(state: TenantState, entries: Sequence[LogEntry]) -> Changes:
    """Apply upserts, deletions and embeddings in order; return what changed."""
    kinds = [entry.kind for entry in entries]
    upserts = [kind for kind in kinds if isinstance(kind, ItemUpserted)]
    starts = iter(state.tower.vectors([upsert.features for upsert in upserts]) if upserts else ())
    rows: dict[int, _Row] = {}
    bases: dict[int, Floats] = {}
    deleted: dict[str, None] = {}
    upserted: dict[str, bytes] = {}
    users: dict[bytes, EmbeddingPut] = {}
    for kind in kinds:
        match kind:
            case ItemUpserted():
                ordinal, row = _upsert(state, kind, next(starts), rows, bases)
                rows[ordinal] = row
                upserted[kind.item_id] = kind.item
                deleted.pop(kind.item_id, None)
            case ItemDeleted() if state.items.ordinal(kind.item_id) >= 0:
                ordinal = state.items.delete(kind.item_id)
                rows[ordinal] = _Row(np.zeros(state.items.dimension, np.float32), 0.0, False)
                deleted[kind.item_id] = None
            case EmbeddingPut() if kind.generation_id == state.generation.generation_id:
                if kind.user_key is not None:
                    users[kind.user_key] = kind
                else:
                    ordinal = state.items.ordinal(kind.item_id or "")
                    if ordinal >= 0 and state.items.exists[ordinal]:
                        rows[ordinal] = _Row(kind.vector, kind.bias, kind.pinned)
            case _:
                pass
    state.fit_items()
    return _changes(state, rows, bases, upserted, list(deleted), users)


def _upsert(
    state: TenantState,
    kind: ItemUpserted,
    start: Floats,
    rows: dict[int, _Row],
    bases: dict[int, Floats],
) -> tuple[int, _Row]:
    """Return the row of an upserted item.

    A new item starts where the tower puts it. When the content of an item changes, what it
    learned since its start stays: it moves by as much as its start moved.
    """
    items = state.items
    known = items.ordinal(kind.item_id)
    existed = known >= 0 and bool(items.exists[known])
    ordinal = items.upsert(kind.item_id, kind.item)
    old_start = bases.get(ordinal, items.bases[ordinal])
    bases[ordinal] = start
    if not existed:
        return ordinal, _Row(start, 0.0, False)
    row = rows.get(ordinal)
    if row is None:
        row = _Row(
            items.vectors[ordinal].copy(),
            float(items.biases[ordinal]),
            bool(items.pinned[ordinal]),
        )
    if not row.pinned:
        moved = row.vector + (start - old_start)
        row.vector = within_norm(moved[np.newaxis], state.generation.max_norm)[0]
    return ordinal, row


def _changes(
    state: TenantState,
    rows: dict[int, _Row],
    bases: dict[int, Floats],
    upserted: dict[str, bytes],
    deleted: list[str],
    users: dict[bytes, EmbeddingPut],
) -> Changes:
    ordinals = np.array(sorted(rows), np.int64)
    based = np.array(sorted(bases), np.int64)
    dictionary = ItemDictionary(state.items, [ordinals, based])
    changes = Changes(
        state.tenant, dictionary.item_ids, upserted=list(upserted.items()), deleted=deleted
    )
    if based.size:
        starts = np.stack([bases[ordinal] for ordinal in based.tolist()])
        state.items.set_bases(based, starts)
        changes.bases = BaseChanges(dictionary.indices(based), starts)
    if ordinals.size:
        ordered = [rows[ordinal] for ordinal in ordinals.tolist()]
        vectors = np.stack([row.vector for row in ordered]).astype(np.float32)
        biases = np.array([row.bias for row in ordered], np.float32)
        pinned = np.array([row.pinned for row in ordered], np.bool_)
        state.items.set_vectors(ordinals, vectors, biases, pinned)
        changes.vectors = VectorChanges(dictionary.indices(ordinals), vectors, biases, pinned)
    if users:
        changes.users = _user_vectors(state, users)
    return changes


def _user_vectors(state: TenantState, users: dict[bytes, EmbeddingPut]) -> UserChanges:
    pinned = np.array([put.pinned for put in users.values()], np.bool_)
    state.users.pinned[state.users.rows(list(users))] = pinned
    return UserChanges(
        user_keys=list(users),
        types=[],
        events=no_events(),
        vector_users=np.arange(len(users)),
        vectors=np.stack([put.vector for put in users.values()]).astype(np.float32),
        pinned=pinned,
    )


def no_events() -> EventColumns:
    """Return empty event columns."""
    ints = np.zeros(0, np.int64)
    doubles = np.zeros(0, np.float64)
    return EventColumns(ints, ints, ints, doubles, ints, ints, np.zeros(0, np.float32))
