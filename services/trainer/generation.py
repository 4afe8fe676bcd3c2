"""A generation as a folder: manifest.json and the files it names; written whole or not at all."""

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from google.protobuf import json_format

from harken.feedback.v1 import generation_pb2 as pb
from harken.feedback.v1 import generation_service_pb2 as service_pb
from services.common.candidate_features import COLUMNS
from services.common.onnx_model import ITEM_VECTORS
from services.feedback.generations.domain.trained_vectors_check import vectors_fault
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.outcome_definition import OutcomeDefinition
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.timeline import Floats

MANIFEST = "manifest.json"
_CHUNK_BYTES = 256 * 1024
_ID = re.compile(r"[a-z0-9_.-]{1,64}")


class GenerationError(Exception):
    """A generation is not what it should be; the message says why."""


def item_vectors_file(item_ids: Sequence[str], vectors: Floats, max_norm: float) -> bytes:
    """Return vectors [n, d] of items as the file ITEM_VECTORS.

    Raises:
        GenerationError: the feedback service would refuse them.

    """
    flat = vectors.astype("<f4").tobytes()
    fault = vectors_fault(item_ids, flat, b"", vectors.shape[1], max_norm)
    if fault is not None:
        raise GenerationError(f"{ITEM_VECTORS} {fault}")
    return bytes(pb.ItemVectorFile(item_ids=item_ids, vectors=flat).SerializeToString())


def manifest_of(
    generation_id: str,
    dimension: int,
    buckets: int,
    fold_in: FoldInOptions,
    outcomes: Sequence[OutcomeDefinition],
    files: Mapping[str, bytes],
    metrics: Mapping[str, float],
    tenant: str = "default",
    trained_through: int = 0,
) -> pb.GenerationManifest:
    """Return the manifest of files.

    Raises:
        GenerationError: the id is not 1 to 64 of [a-z0-9_.-].

    """
    if not _ID.fullmatch(generation_id):
        raise GenerationError(f"generation id {generation_id!r} must be 1 to 64 of [a-z0-9_.-]")
    return pb.GenerationManifest(
        generation_id=generation_id,
        tenant=tenant,
        dimension=dimension,
        max_norm=ItemStepConfig().max_norm,
        encoder=pb.Encoder(
            kind=pb.ENCODER_KIND_FOLD_IN,
            length=fold_in.length,
            decay=fold_in.decay,
            alpha=fold_in.alpha,
            regularization=fold_in.regularization,
        ),
        scorer_features=COLUMNS,
        outcomes=[_outcome(one) for one in outcomes],
        content_buckets=buckets,
        trained_through_sequence=trained_through,
        files=[
            pb.GenerationFile(name=name, size=len(data), sha256=hashlib.sha256(data).digest())
            for name, data in files.items()
        ],
        metrics=dict(metrics),
    )


def write_generation(
    folder: Path,
    manifest: pb.GenerationManifest,
    files: Mapping[str, bytes],
    extra: Mapping[str, bytes],
) -> None:
    """Write manifest, its files, and extra files that are not published, replacing the folder."""
    partial = folder.with_name(f"{folder.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    for name, data in {**files, **extra}.items():
        (partial / name).write_bytes(data)
    (partial / MANIFEST).write_text(json_format.MessageToJson(manifest) + "\n")
    if folder.exists():
        # Only what has been a generation is replaced.
        if any(folder.iterdir()) and not (folder / MANIFEST).exists():
            raise GenerationError(f"{folder} is not empty and holds no generation")
        shutil.rmtree(folder)
    partial.replace(folder)


def read_generation(folder: Path) -> tuple[pb.GenerationManifest, dict[str, bytes]]:
    """Return the manifest of a folder and its files, checked against their sums.

    Raises:
        GenerationError: something is missing or differs.

    """
    try:
        manifest = json_format.Parse((folder / MANIFEST).read_text(), pb.GenerationManifest())
        files = {one.name: (folder / one.name).read_bytes() for one in manifest.files}
    except (OSError, json_format.ParseError) as error:
        raise GenerationError(f"{folder}: {error}") from None
    for one in manifest.files:
        if hashlib.sha256(files[one.name]).digest() != one.sha256:
            raise GenerationError(f"{folder / one.name} is not what {MANIFEST} says")
    return manifest, files


def upload(
    manifest: pb.GenerationManifest, files: Mapping[str, bytes]
) -> Iterator[service_pb.PublishGenerationRequest]:
    """Yield the messages of PublishGeneration."""
    yield service_pb.PublishGenerationRequest(manifest=manifest)
    for name, data in files.items():
        for begin in range(0, len(data), _CHUNK_BYTES):
            chunk = service_pb.FileChunk(name=name, data=data[begin : begin + _CHUNK_BYTES])
            yield service_pb.PublishGenerationRequest(chunk=chunk)


def _outcome(outcome: OutcomeDefinition) -> pb.Outcome:
    message = pb.Outcome(
        name=outcome.name, event_types=sorted(outcome.event_types), weight=outcome.weight
    )
    if outcome.min_value is not None:
        message.min_value = outcome.min_value
    if outcome.returns is not None:
        message.return_window.after.FromMicroseconds(outcome.returns.after_us)
        message.return_window.until.FromMicroseconds(outcome.returns.until_us)
    return message
