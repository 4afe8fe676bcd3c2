"""Generations for tests, built by code: vectors that know the categories."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence

import numpy as np

from harken.feedback.v1 import generation_pb2, item_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.candidate_features import COLUMNS
from services.feedback.generations.domain.bootstrap_models import BUCKETS, item_tower, prior_scorer
from services.feedback.generations.outcome_conversion import outcome_message
from services.feedback.learner.model.outcome_definition import OutcomeDefinition

PLAY = OutcomeDefinition("play", frozenset({"play"}), None, 1.0)


def group_vectors(items: Sequence[item_pb2.Item], dimension: int) -> np.ndarray:
    """Return vectors [n, dimension]: a direction per category, as distinct as they can be."""
    chance = np.random.default_rng(11)
    groups = sorted({item.categories[0] for item in items})
    size = max(len(groups), dimension)
    directions = np.linalg.qr(chance.normal(size=(size, size)))[0][:, :dimension]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = np.array([groups.index(item.categories[0]) for item in items])
    noise = chance.normal(0, 0.02, (len(items), dimension))
    vectors: np.ndarray = (directions[rows] + noise).astype(np.float32)
    return vectors


def files_of(
    items: Sequence[item_pb2.Item],
    dimension: int,
    outcomes: Sequence[OutcomeDefinition] = (PLAY,),
) -> dict[str, bytes]:
    trained = generation_pb2.ItemVectorFile(
        item_ids=[item.item_id for item in items],
        vectors=group_vectors(items, dimension).astype("<f4").tobytes(),
    )
    return {
        "item_tower.onnx": item_tower(dimension),
        "scorer.onnx": prior_scorer(outcomes),
        "item_vectors.pb": trained.SerializeToString(),
    }


def manifest_of(
    generation_id: str,
    dimension: int,
    files: Mapping[str, bytes],
    outcomes: Sequence[OutcomeDefinition] = (PLAY,),
) -> generation_pb2.GenerationManifest:
    return generation_pb2.GenerationManifest(
        generation_id=generation_id,
        dimension=dimension,
        max_norm=3.0,
        encoder=generation_pb2.Encoder(
            kind=generation_pb2.ENCODER_KIND_FOLD_IN,
            length=20,
            decay=0.9,
            alpha=0.3,
            regularization=0.2,
        ),
        scorer_features=COLUMNS,
        outcomes=[outcome_message(one) for one in outcomes],
        content_buckets=BUCKETS,
        files=[
            generation_pb2.GenerationFile(
                name=name, size=len(data), sha256=hashlib.sha256(data).digest()
            )
            for name, data in files.items()
        ],
    )


async def upload_of(
    manifest: generation_pb2.GenerationManifest, files: Mapping[str, bytes]
) -> AsyncIterator[pb.PublishGenerationRequest]:
    yield pb.PublishGenerationRequest(manifest=manifest)
    for name, data in files.items():
        for start in range(0, len(data), 500_000):
            chunk = pb.FileChunk(name=name, data=data[start : start + 500_000])
            yield pb.PublishGenerationRequest(chunk=chunk)
