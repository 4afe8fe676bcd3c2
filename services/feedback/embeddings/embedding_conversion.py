"""Vectors that a backend brings: faults, and the log entry."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import embedding_service_pb2 as pb
from harken.feedback.v1 import generation_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.validation import id_fault, subject_fault


def embedding_fault(
    embedding: pb.Embedding,
    generation: generation_pb2.GenerationManifest,
    known_items: AbstractSet[str],
    max_bias: float,
) -> "tuple[pb.EmbeddingFault, str] | None":
    """Return what is wrong with an embedding for a generation, or None."""
    target = embedding.WhichOneof("target")
    match target:
        case "item_id":
            fault = id_fault(embedding.item_id)
        case "subject":
            fault = subject_fault(embedding.subject)
        case _:
            fault = "is required"
    if fault:
        return pb.EMBEDDING_FAULT_INVALID_TARGET, f"{target or 'target'} {fault}"
    if target == "item_id" and embedding.item_id not in known_items:
        detail = f"item {embedding.item_id!r} is not in the catalogue"
        return pb.EMBEDDING_FAULT_UNKNOWN_ITEM, detail
    if len(embedding.values) != generation.dimension:
        detail = f"has {len(embedding.values)} values, the generation {generation.dimension}"
        return pb.EMBEDDING_FAULT_WRONG_DIMENSION, detail
    vector = np.asarray(embedding.values, np.float32)
    if not (np.isfinite(vector).all() and np.isfinite(embedding.bias)):
        return pb.EMBEDDING_FAULT_NOT_FINITE, "a value is NaN or infinite"
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    if norm > generation.max_norm:
        detail = f"norm {norm:.3f} is above {generation.max_norm:.3f}"
        return pb.EMBEDDING_FAULT_OUT_OF_BOUNDS, detail
    # A bias lifts an item for everybody alike, whoever they are.
    if abs(embedding.bias) > max_bias:
        detail = f"bias {embedding.bias:.3f} is not within {max_bias:.3f}"
        return pb.EMBEDDING_FAULT_OUT_OF_BOUNDS, detail
    return None


def logged_embedding(
    embedding: pb.Embedding,
    generation: generation_pb2.GenerationManifest,
    key_of: Callable[[subject_pb2.Subject], bytes],
) -> entry_pb2.LoggedEmbedding:
    """Return the log entry of a sound embedding. `key_of`: stored keys of subjects."""
    logged = entry_pb2.LoggedEmbedding(
        vector=np.asarray(embedding.values, "<f4").tobytes(),
        bias=embedding.bias,
        pinned=embedding.pinned,
        generation_id=generation.generation_id,
    )
    if embedding.HasField("item_id"):
        logged.item_id = embedding.item_id
    else:
        logged.user_key = key_of(embedding.subject)
    return logged
