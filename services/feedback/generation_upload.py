"""An upload of a generation: assembled, then checked as a whole before anything is stored."""

import asyncio
import hashlib
import math
import re
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.onnx_model import ITEM_VECTORS, SCORER, TOWER
from services.common.validation import Checks
from services.feedback.domain.model_check import model_fault
from services.feedback.domain.trained_vectors_check import vectors_fault

_MAX_FILE_BYTES = 256 * 1024 * 1024
_MAX_CHUNK_BYTES = 1024 * 1024
_MAX_MANIFEST_BYTES = 256 * 1024
_MAX_WEIGHT = 1000
_OUTCOME = re.compile(r"[a-z0-9_]{1,64}")
_ID = re.compile(r"[a-z0-9_.-]{1,64}")


class GenerationUpload:
    """Collects a manifest and its files; every fault is an InvalidRequestError with the field."""

    def __init__(self) -> None:
        self.manifest: generation_pb2.GenerationManifest | None = None
        self.tenant = ""
        self._files: dict[str, bytearray] = {}
        self._sizes: dict[str, int] = {}

    def begin(self, request: pb.PublishGenerationRequest) -> None:
        """Take the manifest."""
        checks = Checks()
        if not request.HasField("manifest"):
            checks.fail("manifest", "must be the first message")
        manifest = request.manifest
        self.tenant = checks.tenant(manifest.tenant)
        manifest.tenant = self.tenant
        manifest.ClearField("publish_time")
        _check_manifest(checks, manifest)
        checks.done()
        self.manifest = manifest
        self._sizes = {file.name: file.size for file in manifest.files}
        self._files = {file.name: bytearray() for file in manifest.files}

    def add(self, request: pb.PublishGenerationRequest) -> None:
        """Take a chunk."""
        checks = Checks()
        chunk = request.chunk
        if not request.HasField("chunk"):
            checks.fail("chunk", "must follow the manifest")
        elif chunk.name not in self._files:
            checks.fail("chunk.name", f"{chunk.name!r} is not a file of the manifest")
        elif not 0 < len(chunk.data) <= _MAX_CHUNK_BYTES:
            checks.fail("chunk.data", f"must be 1 to {_MAX_CHUNK_BYTES} bytes")
        elif len(self._files[chunk.name]) + len(chunk.data) > self._sizes[chunk.name]:
            checks.fail("chunk.data", f"{chunk.name} is larger than its manifest says")
        checks.done()
        self._files[chunk.name] += chunk.data

    async def finish(self) -> tuple[generation_pb2.GenerationManifest, dict[str, bytes]]:
        """Return what was uploaded, checked."""
        checks = Checks()
        if self.manifest is None:
            checks.fail("manifest", "is required")
            checks.done()
            raise AssertionError("unreachable")
        files = {name: bytes(content) for name, content in self._files.items()}
        for index, file in enumerate(self.manifest.files):
            content = files[file.name]
            if len(content) != file.size:
                checks.fail(f"manifest.files[{index}].size", f"{len(content)} bytes came")
            elif (await asyncio.to_thread(hashlib.sha256, content)).digest() != file.sha256:
                checks.fail(f"manifest.files[{index}].sha256", "differs from what came")
        checks.done()
        for index, file in enumerate(self.manifest.files):
            fault = await asyncio.to_thread(_file_fault, self.manifest, file.name, files[file.name])
            if fault:
                checks.fail(f"manifest.files[{index}]", fault)
        checks.done()
        return self.manifest, files


def _check_manifest(checks: Checks, manifest: generation_pb2.GenerationManifest) -> None:
    if manifest.ByteSize() > _MAX_MANIFEST_BYTES:
        checks.fail("manifest", f"is longer than {_MAX_MANIFEST_BYTES} bytes")
        return
    if not _ID.fullmatch(manifest.generation_id):
        checks.fail("manifest.generation_id", "must be 1 to 64 of [a-z0-9_.-]")
    if not 1 <= manifest.dimension <= 1024:
        checks.fail("manifest.dimension", "must be 1 to 1024")
    if not (math.isfinite(manifest.max_norm) and manifest.max_norm > 0):
        checks.fail("manifest.max_norm", "must be finite and positive")
    if not 1 <= manifest.content_buckets <= 1 << 20:
        checks.fail("manifest.content_buckets", "must be 1 to 1048576")
    checks.size("manifest.scorer_features", len(manifest.scorer_features), 1, 1000)
    if checks.size("manifest.outcomes", len(manifest.outcomes), 1, 100):
        _check_outcomes(checks, manifest.outcomes)
    encoder = manifest.encoder
    if encoder.kind != generation_pb2.ENCODER_KIND_FOLD_IN:
        checks.fail("manifest.encoder.kind", "must be FOLD_IN")
    if not 1 <= encoder.length <= 200:
        checks.fail("manifest.encoder.length", "must be 1 to 200")
    if not 0 < encoder.decay <= 1:
        checks.fail("manifest.encoder.decay", "must be in (0, 1]")
    if not (math.isfinite(encoder.alpha) and encoder.alpha >= 0):
        checks.fail("manifest.encoder.alpha", "must be finite and at least 0")
    if not (math.isfinite(encoder.regularization) and encoder.regularization > 0):
        checks.fail("manifest.encoder.regularization", "must be finite and positive")
    names = [file.name for file in manifest.files]
    if sorted(names) not in (sorted((TOWER, SCORER)), sorted((TOWER, SCORER, ITEM_VECTORS))):
        checks.fail(
            "manifest.files", f"must be {TOWER} and {SCORER}, and may be {ITEM_VECTORS}, once each"
        )
        return
    for index, file in enumerate(manifest.files):
        if not 0 < file.size <= _MAX_FILE_BYTES:
            checks.fail(f"manifest.files[{index}].size", f"must be 1 to {_MAX_FILE_BYTES}")
        if len(file.sha256) != 32:
            checks.fail(f"manifest.files[{index}].sha256", "must be 32 bytes")


def _check_outcomes(checks: Checks, outcomes: Sequence[generation_pb2.Outcome]) -> None:
    if len({one.name for one in outcomes}) < len(outcomes):
        checks.fail("manifest.outcomes", "holds a name twice")
    if outcomes and not any(one.weight for one in outcomes):
        checks.fail("manifest.outcomes", "needs a weight other than 0")
    for index, one in enumerate(outcomes):
        field = f"manifest.outcomes[{index}]"
        if not _OUTCOME.fullmatch(one.name):
            checks.fail(f"{field}.name", "must be 1 to 64 of [a-z0-9_]")
        few = checks.size(f"{field}.event_types", len(one.event_types), 0, 100)
        if few and any(not 0 < len(kind) <= 64 for kind in one.event_types):
            checks.fail(f"{field}.event_types", "must have 1 to 64 characters each")
        if not math.isfinite(one.min_value):
            checks.fail(f"{field}.min_value", "must be finite")
        if not abs(one.weight) <= _MAX_WEIGHT:
            checks.fail(f"{field}.weight", f"must be -{_MAX_WEIGHT} to {_MAX_WEIGHT}")


def _file_fault(
    manifest: generation_pb2.GenerationManifest, name: str, content: bytes
) -> str | None:
    """Return what is wrong with the content of a file, or None."""
    match name:
        case _ if name == TOWER:
            return model_fault(name, content, manifest.content_buckets, manifest.dimension)
        case _ if name == SCORER:
            return model_fault(name, content, len(manifest.scorer_features), len(manifest.outcomes))
        case _:
            try:
                file = generation_pb2.ItemVectorFile.FromString(content)
            except DecodeError as error:
                return f"is no ItemVectorFile: {error}"
            return vectors_fault(
                file.item_ids, file.vectors, file.biases, manifest.dimension, manifest.max_norm
            )
