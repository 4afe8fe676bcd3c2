"""Catalogue changes, vectors that a backend sets, and what is configured."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.common.norm_bound import within_norm
from services.feed.parameters import Document, Floats, VectorRows
from services.feedback.learner.model.changes import BaseChanges, Changes, SpaceChanges
from services.feedback.learner.model.entries import (
    EmbeddingPut,
    ItemDeleted,
    ItemUpserted,
    LogEntry,
)
from services.feedback.learner.model.item_dictionary import ItemDictionary
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_step import pin_users
from services.feedback.learner.model.vector_space import VectorSpace

_ROUNDING = 1e-5


@dataclass(slots=True)
class _Row:
    """What an item's row is to be at the end of the step."""

    vector: Floats
    bias: float
    pinned: bool


@dataclass(slots=True)
class _Draft:
    """What becomes of one generation's vectors. starts: of the upserted items, in order."""

    space: VectorSpace
    starts: Floats
    rows: dict[int, _Row] = field(default_factory=dict)
    bases: dict[int, tuple[Floats, bool]] = field(default_factory=dict)

    def upsert(
        self, ordinal: int, existed: bool, start: Floats, features_before: dict[str, float] | None
    ) -> None:
        """A new item starts where the tower puts it.

        When the content of an item changes, what it learned since its start stays: it moves by as
        much as its start moved. One that starts from a trained vector stays where it is: behaviour
        says more about it than content does. One that was placed by what became of items of like
        content moves by as much as the tower's start did; features_before: None: not known.
        """
        space = self.space
        if space.status.placed <= ordinal < space.status.to_place:
            return  # It is going to be placed as it is then.
        old_start, trained = self.bases.get(
            ordinal, (space.bases[ordinal], bool(space.trained[ordinal]))
        )
        if existed and trained:
            return
        if existed and features_before is not None:
            start = self._start_after(start, old_start, features_before)
        self.bases[ordinal] = (start, False)
        if not existed:
            self.rows[ordinal] = _Row(start, 0.0, False)
            return
        row = self._row(ordinal)
        if not row.pinned:
            moved = row.vector + (start - old_start)
            row.vector = within_norm(moved[np.newaxis], space.generation.max_norm)[0]

    def _start_after(
        self, start: Floats, old_start: Floats, features_before: dict[str, float]
    ) -> Floats:
        """Return where an item starts now that the tower says `start`."""
        [before] = _starts(self.space, [features_before])
        # It was the tower's, rounding aside.
        if np.allclose(old_start, before, rtol=0.0, atol=_ROUNDING):
            return start
        placed = (old_start + (start - before))[np.newaxis]
        bounded: Floats = within_norm(placed, self.space.generation.max_norm)[0]
        return bounded

    def delete(self, ordinal: int) -> None:
        """The vector of an item that is gone is zero."""
        self.rows[ordinal] = _Row(np.zeros(self.space.dimension, np.float32), 0.0, False)

    def _row(self, ordinal: int) -> _Row:
        space = self.space
        row = self.rows.get(ordinal)
        if row is None:
            row = _Row(
                space.vectors[ordinal].copy(),
                float(space.biases[ordinal]),
                bool(space.pinned[ordinal]),
            )
            self.rows[ordinal] = row
        return row


def catalogue_step(state: TenantState, entries: Sequence[LogEntry]) -> Changes:
    """Apply upserts, deletions, embeddings and documents in order; return what changed."""
    kinds = [entry.kind for entry in entries]
    features = [kind.features for kind in kinds if isinstance(kind, ItemUpserted)]
    drafts = {
        name: _Draft(space, _starts(space, features))
        for name, space in sorted(state.spaces.items())
    }
    deleted: dict[str, None] = {}
    upserted: dict[str, bytes] = {}
    users: list[EmbeddingPut] = []
    documents: dict[tuple[str, str], Document] = {}
    number = 0
    for kind in kinds:
        match kind:
            case ItemUpserted():
                known = state.items.ordinal(kind.item_id)
                existed = known >= 0 and bool(state.items.exists[known])
                before = _features_before(state, known) if existed else None
                ordinal = state.items.upsert(kind.item_id, kind.item)
                state.fit_items()
                # What is not content, as prices and availability, moves nothing.
                for draft in drafts.values() if before != kind.features else ():
                    draft.upsert(ordinal, existed, draft.starts[number], before)
                number += 1
                upserted[kind.item_id] = kind.item
                deleted.pop(kind.item_id, None)
            case ItemDeleted() if state.items.ordinal(kind.item_id) >= 0:
                ordinal = state.items.delete(kind.item_id)
                for draft in drafts.values():
                    draft.delete(ordinal)
                deleted[kind.item_id] = None
            case EmbeddingPut() if kind.generation_id in drafts:
                if kind.user_key is None:
                    ordinal = state.items.ordinal(kind.item_id or "")
                    if ordinal >= 0 and state.items.exists[ordinal]:
                        row = _Row(kind.vector, kind.bias, kind.pinned)
                        drafts[kind.generation_id].rows[ordinal] = row
                else:
                    users.append(kind)
            case Document():
                state.set_document(kind)
                documents[kind.key] = kind
            case _:
                pass
    pin_users(state, users)
    changes = _changes(state, list(drafts.values()), upserted, list(deleted))
    changes.documents.extend(documents.values())
    return changes


def _features_before(state: TenantState, ordinal: int) -> dict[str, float] | None:
    """Return the content features that an item has; None where nobody knows."""
    features_of = state.config.features_of
    return None if features_of is None else dict(features_of(state.items.payloads[ordinal]))


def _starts(space: VectorSpace, features: Sequence[dict[str, float]]) -> Floats:
    if not features:
        return np.zeros((0, space.dimension), np.float32)
    return within_norm(space.tower.vectors(features), space.generation.max_norm)


def _changes(
    state: TenantState,
    drafts: list[_Draft],
    upserted: dict[str, bytes],
    deleted: list[str],
) -> Changes:
    columns = [
        np.array(sorted(part), np.int64) for draft in drafts for part in (draft.rows, draft.bases)
    ]
    dictionary = ItemDictionary(state.items, columns)
    changes = Changes(
        state.tenant,
        dictionary.item_ids,
        active=state.active,
        upserted=list(upserted.items()),
        deleted=deleted,
    )
    for draft in drafts:
        if draft.rows or draft.bases:
            changes.spaces.append(_applied(draft, dictionary))
    return changes


def _applied(draft: _Draft, dictionary: ItemDictionary) -> SpaceChanges:
    """Set what a draft says; return it as changes."""
    space = draft.space
    changes = SpaceChanges(space.generation_id)
    ordinals = np.array(sorted(draft.rows), np.int64)
    based = np.array(sorted(draft.bases), np.int64)
    if based.size:
        starts = np.stack([draft.bases[ordinal][0] for ordinal in based.tolist()])
        trained = np.array([draft.bases[ordinal][1] for ordinal in based.tolist()], np.bool_)
        space.set_bases(based, starts, trained)
        changes.bases = BaseChanges(dictionary.indices(based), starts, trained)
    if ordinals.size:
        ordered = [draft.rows[ordinal] for ordinal in ordinals.tolist()]
        vectors = np.stack([row.vector for row in ordered]).astype(np.float32)
        biases = np.array([row.bias for row in ordered], np.float32)
        pinned = np.array([row.pinned for row in ordered], np.bool_)
        space.place(ordinals, vectors, biases, pinned)
        changes.vectors = VectorRows(dictionary.indices(ordinals), vectors, biases, pinned)
    return changes
