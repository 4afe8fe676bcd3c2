"""Frames: what a step changed, to and from the wire."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harken.feedback.v1 import frame_pb2 as pb
from harken.feedback.v1 import generation_pb2, item_pb2
from services.common.progress import Applied
from services.feedback.domain.changes import (
    BaseChanges,
    Changes,
    EventColumns,
    Ints,
    PopularityChanges,
    RecentItems,
    RuleChanges,
    UserChanges,
    VectorChanges,
)
from services.feedback.domain.entries import GenerationActivated


def frame_of(
    changes: Sequence[Changes], before: Applied, after: Applied, accepted_at_us: int
) -> pb.Frame:
    """Return the frame of a step."""
    return pb.Frame(
        epoch=after.epoch,
        after_version=before.version,
        version=after.version,
        through_sequence=after.sequence,
        accepted_at_us=accepted_at_us,
        tenants=[_to_wire(one) for one in changes],
    )


def _to_wire(changes: Changes) -> pb.TenantChanges:
    wire = pb.TenantChanges(tenant=changes.tenant, item_ids=changes.item_ids)
    generation_id = ""
    if changes.activated is not None:
        wire.activated.ParseFromString(changes.activated.manifest)
        generation_id = changes.activated.generation_id
    if changes.upserted or changes.deleted:
        wire.catalogue.items.extend(
            item_pb2.Item.FromString(payload) if payload else item_pb2.Item(item_id=item_id)
            for item_id, payload in changes.upserted
        )
        wire.catalogue.deleted_item_ids.extend(changes.deleted)
    if changes.vectors is not None:
        part = changes.vectors
        wire.item_vectors.CopyFrom(
            pb.ItemVectors(
                generation_id=generation_id,
                items=part.items.tolist(),
                vectors=_bytes(part.vectors, "<f4"),
                biases=_bytes(part.biases, "<f4"),
                pinned=part.pinned.tolist(),
            )
        )
    if changes.rules is not None:
        cells = changes.rules
        wire.rules.CopyFrom(
            pb.RuleCells(
                sources=cells.sources.tolist(),
                slots=cells.slots.tolist(),
                targets=cells.targets.tolist(),
                weights=_bytes(cells.weights, "<f4"),
            )
        )
    if changes.popularity is not None:
        popularity = changes.popularity
        wire.popularity.CopyFrom(
            pb.Popularity(
                items=popularity.items.tolist(),
                levels=_bytes(popularity.levels, "<f8"),
                counts=_bytes(popularity.counts, "<f8"),
            )
        )
    if changes.users is not None:
        wire.users.CopyFrom(_users_to_wire(changes.users))
    _learner_to_wire(changes, wire)
    return wire


def _users_to_wire(users: UserChanges) -> pb.UserDeltas:
    events = users.events
    return pb.UserDeltas(
        user_keys=users.user_keys,
        types=users.types,
        event_users=events.users.tolist(),
        event_items=events.items.tolist(),
        event_types=events.types.tolist(),
        event_values=_bytes(events.values, "<f8"),
        event_times_us=events.times_us.tolist(),
        event_sequences=events.sequences.tolist(),
        event_weights=_bytes(events.weights, "<f4"),
        vector_users=users.vector_users.tolist(),
        vectors=_bytes(users.vectors, "<f4"),
        pinned=users.pinned.tolist(),
    )


def _learner_to_wire(changes: Changes, wire: pb.TenantChanges) -> None:
    if changes.bases is not None:
        wire.learner.base_items.extend(changes.bases.items.tolist())
        wire.learner.bases = _bytes(changes.bases.vectors, "<f4")
    if changes.recent is not None:
        recent = changes.recent
        wire.learner.user_keys.extend(recent.user_keys)
        wire.learner.recent_items.extend(recent.items.tolist())
        wire.learner.recent_weights = _bytes(recent.weights, "<f4")
        wire.learner.recent_times_us.extend(recent.times_us.tolist())
        wire.learner.recent_lengths.extend(recent.lengths.tolist())
        wire.learner.pinned_users.extend(recent.pinned_users.tolist())
    if changes.gramian is not None:
        wire.learner.gramian = _bytes(changes.gramian, "<f8")
    if changes.factor_gramian is not None:
        wire.learner.factor_gramian = _bytes(changes.factor_gramian, "<f8")


def stamp_generation(frame: pb.Frame, generation_of: dict[str, str]) -> None:
    """Write the generation that the vectors of each tenant belong to."""
    for tenant in frame.tenants:
        if tenant.HasField("item_vectors"):
            tenant.item_vectors.generation_id = generation_of[tenant.tenant]
        if tenant.HasField("users"):
            tenant.users.generation_id = generation_of[tenant.tenant]


def changes_of(frame: pb.Frame, towers: dict[tuple[str, str], bytes]) -> list[Changes]:
    """Return what a frame says, with the item towers of the generations that it activates."""
    return [_from_wire(tenant, towers) for tenant in frame.tenants]


def activations(frame: pb.Frame) -> list[generation_pb2.GenerationManifest]:
    """Return the manifests of the generations that a frame activates."""
    return [tenant.activated for tenant in frame.tenants if tenant.HasField("activated")]


def _from_wire(wire: pb.TenantChanges, towers: dict[tuple[str, str], bytes]) -> Changes:
    changes = Changes(wire.tenant, list(wire.item_ids))
    if wire.HasField("activated"):
        manifest = wire.activated
        tower = towers[manifest.tenant, manifest.generation_id]
        changes.activated = activation_of(manifest, tower)
    changes.upserted = [(item.item_id, item.SerializeToString()) for item in wire.catalogue.items]
    changes.deleted = list(wire.catalogue.deleted_item_ids)
    if wire.HasField("item_vectors"):
        part = wire.item_vectors
        changes.vectors = VectorChanges(
            _ints(part.items),
            _floats(part.vectors, len(part.items)),
            np.frombuffer(part.biases, "<f4"),
            np.array(part.pinned, np.bool_),
        )
    if wire.HasField("rules"):
        cells = wire.rules
        changes.rules = RuleChanges(
            _ints(cells.sources),
            _ints(cells.slots),
            _ints(cells.targets),
            np.frombuffer(cells.weights, "<f4"),
        )
    if wire.HasField("popularity"):
        popularity = wire.popularity
        changes.popularity = PopularityChanges(
            _ints(popularity.items),
            np.frombuffer(popularity.levels, "<f8"),
            np.frombuffer(popularity.counts, "<f8"),
        )
    if wire.HasField("users"):
        changes.users = _users_from_wire(wire.users)
    if wire.HasField("learner"):
        _learner_from_wire(wire.learner, changes)
    return changes


def _users_from_wire(users: pb.UserDeltas) -> UserChanges:
    return UserChanges(
        user_keys=list(users.user_keys),
        types=list(users.types),
        events=EventColumns(
            users=_ints(users.event_users),
            items=_ints(users.event_items),
            types=_ints(users.event_types),
            values=np.frombuffer(users.event_values, "<f8"),
            times_us=_ints(users.event_times_us),
            sequences=_ints(users.event_sequences),
            weights=np.frombuffer(users.event_weights, "<f4"),
        ),
        vector_users=_ints(users.vector_users),
        vectors=_floats(users.vectors, len(users.vector_users)),
        pinned=np.array(users.pinned, np.bool_),
    )


def _learner_from_wire(learner: pb.LearnerState, changes: Changes) -> None:
    if learner.base_items:
        changes.bases = BaseChanges(
            _ints(learner.base_items), _floats(learner.bases, len(learner.base_items))
        )
    if learner.user_keys:
        changes.recent = RecentItems(
            user_keys=list(learner.user_keys),
            items=_ints(learner.recent_items),
            weights=np.frombuffer(learner.recent_weights, "<f4"),
            times_us=_ints(learner.recent_times_us),
            lengths=_ints(learner.recent_lengths),
            pinned_users=_ints(learner.pinned_users),
        )
    if learner.gramian:
        changes.gramian = _square(learner.gramian)
    if learner.factor_gramian:
        changes.factor_gramian = _square(learner.factor_gramian)


def activation_of(manifest: generation_pb2.GenerationManifest, tower: bytes) -> GenerationActivated:
    """Return the activation of a generation."""
    return GenerationActivated(
        generation_id=manifest.generation_id,
        manifest=manifest.SerializeToString(),
        tower=tower,
        dimension=manifest.dimension,
        max_norm=manifest.max_norm,
        content_buckets=manifest.content_buckets,
        length=manifest.encoder.length,
        decay=manifest.encoder.decay,
        alpha=manifest.encoder.alpha,
        regularization=manifest.encoder.regularization,
    )


def _square(content: bytes) -> npt.NDArray[np.float64]:
    values = np.frombuffer(content, "<f8")
    side = math.isqrt(values.size)
    return values.reshape(side, side)


def _bytes(column: npt.NDArray[np.generic], kind: str) -> bytes:
    return np.ascontiguousarray(column, kind).tobytes()


def _ints(column: Sequence[int]) -> Ints:
    return np.array(column, np.int64)


def _floats(content: bytes, rows: int) -> npt.NDArray[np.float32]:
    values = np.frombuffer(content, "<f4")
    return values.reshape(rows, -1) if rows else values.reshape(0, 0)
