"""Frames: what a step changed, to and from the wire."""

from collections.abc import Sequence

import numpy as np

from harken.feedback.v1 import generation_pb2, item_pb2
from harken.internal.feed.v1 import frame_pb2 as pb
from services.feed import parameters_codec as codec
from services.feed.columns import to_bytes, to_ints
from services.feed.progress import Applied
from services.feedback.generations.generation_conversion import FilesOf, activation_of, staging_of
from services.feedback.learner.model.changes import (
    AllowanceChanges,
    Changes,
    Decisions,
    Held,
    HiddenEvents,
    Influence,
    RecentItems,
)
from services.feedback.learner.slate_frames import SlatesOf, slates_from_wire, slates_to_wire
from services.feedback.learner.space_conversion import space_to_wire, spaces_from_wire


def frame_of(
    changes: Sequence[Changes], before: Applied, after: Applied, accepted_at_us: int
) -> pb.Frame:
    """Return the frame of a step."""
    frame = pb.Frame(
        epoch=after.epoch,
        after_version=before.version,
        version=after.version,
        through_sequence=after.sequence,
        accepted_at_us=accepted_at_us,
    )
    # Messages are filled where they are: putting one into another copies all of it.
    for one in changes:
        _to_wire(one, frame.tenants.add())
    return frame


def _to_wire(changes: Changes, wire: pb.TenantChanges) -> None:
    wire.tenant = changes.tenant
    wire.item_ids.extend(changes.item_ids)
    wire.retired_generation_ids.extend(changes.retired)
    if changes.activated is not None:
        wire.activated.ParseFromString(changes.activated.manifest)
    if changes.staged is not None:
        wire.staged.ParseFromString(changes.staged.generation.manifest)
    if changes.rollback is not None:
        codec.write_rollback(changes.rollback, wire.vector_rollback)
    if changes.upserted or changes.deleted:
        wire.catalogue.items.extend(
            item_pb2.Item.FromString(payload) if payload else item_pb2.Item(item_id=item_id)
            for item_id, payload in changes.upserted
        )
        wire.catalogue.deleted_item_ids.extend(changes.deleted)
    codec.write_documents(changes.documents, wire)
    for space in changes.spaces:
        space_to_wire(space, changes.active, wire)
    codec.write_columns(changes, wire)
    if changes.users is not None:
        codec.write_user_vectors(changes.active, changes.users, wire.users)
    if changes.slates is not None:
        slates_to_wire(changes.slates, wire)
    _learner_to_wire(changes, wire)


def _learner_to_wire(changes: Changes, wire: pb.TenantChanges) -> None:
    if changes.events is not None:
        wire.learner.events = int(changes.events)
    if changes.allowance is not None:
        own = changes.allowance
        wire.learner.allowance_items.extend(own.items.tolist())
        wire.learner.allowance_sums = to_bytes(own.sums, "<f8")
        wire.learner.allowance_figures = to_bytes(own.figures, "<f8")
        wire.learner.allowance_places = to_bytes(own.places, "<f8")
    if changes.recent is not None:
        recent = changes.recent
        wire.learner.user_keys.extend(recent.user_keys)
        wire.learner.recent_items.extend(recent.items.tolist())
        wire.learner.recent_weights = to_bytes(recent.weights, "<f4")
        wire.learner.recent_times_us.extend(recent.times_us.tolist())
        wire.learner.recent_lengths.extend(recent.lengths.tolist())
        wire.learner.pinned_users.extend(recent.pinned_users.tolist())
        wire.learner.recent_sequences.extend(recent.sequences.tolist())
        hidden = recent.hidden
        wire.learner.hidden_users.extend(hidden.users.tolist())
        wire.learner.hidden_items.extend(hidden.items.tolist())
        wire.learner.hidden_weights = to_bytes(hidden.weights, "<f4")
        wire.learner.hidden_times_us.extend(hidden.times_us.tolist())
        wire.learner.hidden_sequences.extend(hidden.sequences.tolist())
        influence = recent.influence
        wire.learner.influence_days.extend(influence.days.tolist())
        wire.learner.influence_counts.extend(influence.counts.tolist())
        wire.learner.beyond_users.extend(influence.beyond_users.tolist())
        wire.learner.beyond_first.extend(influence.beyond_first.tolist())
        wire.learner.beyond_last.extend(influence.beyond_last.tolist())
        wire.learner.held_users.extend(recent.held.users.tolist())
        wire.learner.held_sequences.extend(recent.held.sequences.tolist())
        wire.learner.held_items.extend(recent.held.items.tolist())
        wire.learner.touched_users.extend(recent.touched_users.tolist())
        wire.learner.touched_since_us = recent.touched_since_us
        decided = recent.consents
        wire.learner.consent_users.extend(decided.users.tolist())
        wire.learner.consent_sequences.extend(decided.sequences.tolist())
        wire.learner.consent_decisions.extend(decided.codes.tolist())
        for user, sequence, into in recent.links:
            wire.learner.link_users.append(user)
            wire.learner.link_sequences.append(sequence)
            wire.learner.link_into_keys.append(into)
        for user, sequence, merge in recent.merged_events:
            wire.learner.merged_events.add(user=user, sequence=sequence, merge_sequence=merge)


def changes_of(frame: pb.Frame, files: FilesOf, slates: SlatesOf) -> list[Changes]:
    """Return what a frame says, with the files of the generations and the slates that it names."""
    return [_from_wire(tenant, files, slates) for tenant in frame.tenants]


def named_generations(frame: pb.Frame) -> list[generation_pb2.GenerationManifest]:
    """Return the manifests of the generations that a frame activates or stages."""
    return [
        manifest
        for tenant in frame.tenants
        for manifest, there in (
            (tenant.activated, tenant.HasField("activated")),
            (tenant.staged, tenant.HasField("staged")),
        )
        if there
    ]


def _from_wire(wire: pb.TenantChanges, files: FilesOf, slates: SlatesOf) -> Changes:
    changes = Changes(
        tenant=wire.tenant,
        item_ids=list(wire.item_ids),
        retired=list(wire.retired_generation_ids),
        documents=list(codec.read_documents(wire)),
        **codec.read_columns(wire),
    )
    if wire.HasField("activated"):
        changes.activated = activation_of(wire.activated, files)
    if wire.HasField("staged"):
        changes.staged = staging_of(wire.staged, files, now=False)
    if wire.HasField("vector_rollback"):
        changes.rollback = codec.read_rollback(wire.vector_rollback)
    changes.upserted = [(item.item_id, item.SerializeToString()) for item in wire.catalogue.items]
    changes.deleted = list(wire.catalogue.deleted_item_ids)
    changes.spaces = spaces_from_wire(wire)
    if wire.HasField("learner"):
        _learner_from_wire(wire.learner, changes)
    changes.slates = slates_from_wire(wire, slates)
    return changes


def _learner_from_wire(learner: pb.LearnerState, changes: Changes) -> None:
    if learner.HasField("events"):
        changes.events = float(learner.events)
    if learner.allowance_figures:
        items = to_ints(learner.allowance_items)
        sums = np.frombuffer(learner.allowance_sums, "<f8")
        changes.allowance = AllowanceChanges(
            items,
            sums.reshape(items.size, -1) if items.size else sums.reshape(0, 0),
            np.frombuffer(learner.allowance_figures, "<f8"),
            np.frombuffer(learner.allowance_places, "<f8"),
        )
    if learner.user_keys:
        changes.recent = RecentItems(
            user_keys=list(learner.user_keys),
            items=to_ints(learner.recent_items),
            weights=np.frombuffer(learner.recent_weights, "<f4"),
            times_us=to_ints(learner.recent_times_us),
            lengths=to_ints(learner.recent_lengths),
            pinned_users=to_ints(learner.pinned_users),
            sequences=to_ints(learner.recent_sequences),
            hidden=HiddenEvents(
                to_ints(learner.hidden_users),
                to_ints(learner.hidden_items),
                np.frombuffer(learner.hidden_weights, "<f4"),
                to_ints(learner.hidden_times_us),
                to_ints(learner.hidden_sequences),
            ),
            influence=Influence(
                to_ints(learner.influence_days),
                to_ints(learner.influence_counts),
                to_ints(learner.beyond_users),
                to_ints(learner.beyond_first),
                to_ints(learner.beyond_last),
            ),
            held=Held(
                to_ints(learner.held_users),
                to_ints(learner.held_sequences),
                to_ints(learner.held_items),
            ),
            touched_users=to_ints(learner.touched_users),
            touched_since_us=learner.touched_since_us,
            consents=Decisions(
                to_ints(learner.consent_users),
                to_ints(learner.consent_sequences),
                to_ints(learner.consent_decisions),
            ),
            links=list(
                zip(learner.link_users, learner.link_sequences, learner.link_into_keys, strict=True)
            ),
            merged_events=[
                (one.user, one.sequence, one.merge_sequence) for one in learner.merged_events
            ],
        )
