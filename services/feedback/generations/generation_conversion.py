"""Generations: from manifests and files to what the learner works with."""

from dataclasses import dataclass

import numpy as np

from harken.feedback.v1 import generation_pb2, item_pb2
from services.common.content_features import content_features
from services.common.item_content import content_of
from services.common.user_key import Pseudonyms
from services.feedback.generations.outcome_conversion import outcome_definitions
from services.feedback.learner.model.entries import (
    GenerationActivated,
    GenerationStaged,
    StagedStart,
    TrainedVectors,
)


@dataclass(frozen=True, slots=True)
class GenerationFiles:
    """What the learner needs of a generation's files; `trained` once it was staged, if any."""

    tower: bytes
    trained: TrainedVectors | None = None
    scorer: bytes = b""


FilesOf = dict[tuple[str, str], GenerationFiles]
"""Files by tenant and generation id."""


def activation_of(
    manifest: generation_pb2.GenerationManifest, files: FilesOf
) -> GenerationActivated:
    """Return the activation of a generation."""
    return GenerationActivated(
        generation_id=manifest.generation_id,
        manifest=manifest.SerializeToString(),
        tower=files[manifest.tenant, manifest.generation_id].tower,
        dimension=manifest.dimension,
        max_norm=manifest.max_norm,
        content_buckets=manifest.content_buckets,
        length=manifest.encoder.length,
        decay=manifest.encoder.decay,
        alpha=manifest.encoder.alpha,
        regularization=manifest.encoder.regularization,
        outcomes=outcome_definitions(manifest.outcomes),
        columns=len(manifest.scorer_features),
        scorer=files[manifest.tenant, manifest.generation_id].scorer,
    )


def staging_of(
    manifest: generation_pb2.GenerationManifest, files: FilesOf, now: bool
) -> GenerationStaged:
    """Return the staging of a generation."""
    trained = files[manifest.tenant, manifest.generation_id].trained
    return GenerationStaged(
        activation_of(manifest, files), StagedStart(features_of_payload, trained), now
    )


def features_of_payload(payload: bytes) -> dict[str, float]:
    """Return the content features of an item as the feed has it."""
    return content_features(content_of(item_pb2.Item.FromString(payload)))


def owner_of_payload(pseudonyms: Pseudonyms, tenant: str, payload: bytes) -> bytes:
    """Return the key that an item's owner has as a user; empty: it has no owner."""
    owner = item_pb2.Item.FromString(payload).owner
    return pseudonyms.key_of_user(tenant, owner) if owner else b""


def trained_vectors(content: bytes, dimension: int) -> TrainedVectors:
    """Return what an item_vectors.pb holds; it must have been checked."""
    file = generation_pb2.ItemVectorFile.FromString(content)
    count = len(file.item_ids)
    biases = np.frombuffer(file.biases, "<f4") if file.biases else np.zeros(count, np.float32)
    return TrainedVectors(
        {item_id: row for row, item_id in enumerate(file.item_ids)},
        np.frombuffer(file.vectors, "<f4").reshape(count, dimension),
        biases,
    )
