"""Work that is too large for one step: placing the items of a staged generation, and taking vectors
back to the reference. Each step does a bounded part, so that every frame stays small.
"""

from dataclasses import replace

import numpy as np

from services.common.norm_bound import within_norm
from services.feed.parameters import Flags, Floats, Ints, VectorRows
from services.feedback.learner.model.changes import BaseChanges, Changes, SpaceChanges
from services.feedback.learner.model.confidence_sequence import NO_CONFIDENCE
from services.feedback.learner.model.item_dictionary import ItemDictionary
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.vector_space import VectorSpace


def unfinished(state: TenantState) -> bool:
    """Return whether a part of such work is left for this step."""
    return any(
        not space.status.built or space.status.rolling_back_since for space in state.spaces.values()
    )


def placement_step(state: TenantState) -> Changes:
    """Do the next part, for all generations; return what changed."""
    parts: list[tuple[VectorSpace, Ints, bool]] = []
    for name in sorted(state.spaces):
        space = state.spaces[name]
        most = max(1, state.config.placed_bytes // (8 * space.dimension + 64))
        if not space.status.built:
            parts.append((space, _to_place(state, space, most), True))
        elif space.status.rolling_back_since:
            parts.append((space, _to_roll_back(space, most), False))
    dictionary = ItemDictionary(state.items, [ordinals for _, ordinals, _ in parts])
    changes = Changes(state.tenant, dictionary.item_ids, active=state.active)
    for space, ordinals, building in parts:
        own = SpaceChanges(space.generation_id, status=space.status)
        if building:
            _place(state, space, ordinals, dictionary, own)
        else:
            _roll_back(space, ordinals, dictionary, own)
        changes.spaces.append(own)
    return changes


def _to_place(state: TenantState, space: VectorSpace, most: int) -> Ints:
    """Return the next items to place; the status moves."""
    status = space.status
    there = np.flatnonzero(state.items.exists[status.placed : status.to_place]) + status.placed
    ordinals = there[:most]
    done = status.to_place if there.size <= most else int(ordinals[-1]) + 1
    space.status = replace(status, placed=done)
    return ordinals.astype(np.int64)


def _place(
    state: TenantState,
    space: VectorSpace,
    ordinals: Ints,
    dictionary: ItemDictionary,
    changes: SpaceChanges,
) -> None:
    if ordinals.size:
        vectors, biases, trained = _starts(state, space, ordinals)
        pinned = np.zeros(ordinals.size, np.bool_)
        space.set_bases(ordinals, vectors, trained)
        space.place(ordinals, vectors, biases, pinned)
        indices = dictionary.indices(ordinals)
        changes.bases = BaseChanges(indices, vectors, trained)
        changes.vectors = VectorRows(indices, vectors, biases, pinned)
    if space.status.built:
        space.start = None


def _starts(state: TenantState, space: VectorSpace, ordinals: Ints) -> tuple[Floats, Floats, Flags]:
    """Return start vectors, biases, and which of them were trained."""
    assert space.start is not None
    known = space.start.trained
    ids = state.items.names(ordinals)
    rows = [-1 if known is None else known.rows.get(item_id, -1) for item_id in ids]
    trained = np.array(rows, np.int64) >= 0
    vectors = np.zeros((ordinals.size, space.dimension), np.float32)
    biases = np.zeros(ordinals.size, np.float32)
    if known is not None:
        own = np.array(rows, np.int64)[trained]
        vectors[trained] = known.vectors[own]
        biases[trained] = known.biases[own]
    if not trained.all():
        features = [
            space.start.features_of(state.items.payloads[ordinal])
            for ordinal in ordinals[~trained].tolist()
        ]
        vectors[~trained] = space.tower.vectors(features)
    return within_norm(vectors, space.generation.max_norm), biases, trained


def _to_roll_back(space: VectorSpace, most: int) -> Ints:
    """Return the next items that go back; the status moves."""
    assert space.reference is not None
    status = space.status
    start = status.rolled_back
    other = (space.vectors[start:] != space.reference.vectors[start:]).any(axis=1)
    there = np.flatnonzero(other & ~space.pinned[start:]) + start
    ordinals = there[:most]
    if there.size <= most:
        space.status = replace(status, rolling_back_since=0, rolled_back=0, guard=NO_CONFIDENCE)
    else:
        space.status = replace(status, rolled_back=int(ordinals[-1]) + 1)
    return ordinals.astype(np.int64)


def _roll_back(
    space: VectorSpace, ordinals: Ints, dictionary: ItemDictionary, changes: SpaceChanges
) -> None:
    changes.status = space.status
    if ordinals.size:
        assert space.reference is not None
        vectors = space.reference.vectors[ordinals]
        biases, pinned = space.biases[ordinals], space.pinned[ordinals]
        space.place(ordinals, vectors, biases, pinned)
        indices = dictionary.indices(ordinals)
        changes.vectors = VectorRows(indices, vectors, biases, pinned)
