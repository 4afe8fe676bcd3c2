"""An upload of a generation: assembled, then checked as a whole before anything is stored."""

import asyncio
import hashlib
import math
import re
from collections.abc import Mapping, Sequence

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.candidate_features import COLUMNS, OLDEST_COLUMNS, are_first_columns
from services.common.onnx_model import INPUTS, ITEM_VECTORS, SCORER, TOWER
from services.common.validation import Checks
from services.feedback.generations.model_trial import trial_fault, vectors_trial_fault
from services.feedback.generations.outcome_conversion import return_window

_MAX_FILE_BYTES = 256 * 1024 * 1024
_MAX_CHUNK_BYTES = 1024 * 1024
_MAX_MANIFEST_BYTES = 256 * 1024
_MAX_MODEL_BYTES = 64 * 1024 * 1024
_MAX_WEIGHT = 1000
_MAX_BUCKETS = 65536
_MAX_NORM = 1000.0
_LEAST_RIDGE = 0.9999e-9
"""1e-9, up to the rounding of float32."""
_LARGEST_RIDGE = 1e6
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

    async def finish(
        self, contents: Sequence[Mapping[str, float]] = ()
    ) -> tuple[generation_pb2.GenerationManifest, dict[str, bytes]]:
        """Return what was uploaded, checked; `contents`: content features to try its tower on."""
        checks = Checks()
        if self.manifest is None:
            checks.fail("manifest", "is required")
            checks.done()
            raise AssertionError("unreachable")
        # One file at a time, so that they are not all in memory twice.
        files = {name: bytes(self._files.pop(name)) for name in list(self._files)}
        for index, file in enumerate(self.manifest.files):
            content = files[file.name]
            if len(content) != file.size:
                checks.fail(f"manifest.files[{index}].size", f"{len(content)} bytes came")
            elif (await asyncio.to_thread(hashlib.sha256, content)).digest() != file.sha256:
                checks.fail(f"manifest.files[{index}].sha256", "differs from what came")
        checks.done()
        for index, file in enumerate(self.manifest.files):
            fault = await _file_fault(self.manifest, file.name, files[file.name], contents)
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
    if not (math.isfinite(manifest.max_norm) and 0 < manifest.max_norm <= _MAX_NORM):
        checks.fail("manifest.max_norm", f"must be above 0, at most {_MAX_NORM:.0f}")
    if not 1 <= manifest.content_buckets <= _MAX_BUCKETS:
        checks.fail("manifest.content_buckets", f"must be 1 to {_MAX_BUCKETS}")
    if fault := _features_fault(manifest.scorer_features):
        checks.fail("manifest.scorer_features", fault)
    if checks.size("manifest.outcomes", len(manifest.outcomes), 1, 100):
        _check_outcomes(checks, manifest.outcomes)
    encoder = manifest.encoder
    if encoder.kind != generation_pb2.ENCODER_KIND_FOLD_IN:
        checks.fail("manifest.encoder.kind", "must be FOLD_IN")
    if not 1 <= encoder.length <= 200:
        checks.fail("manifest.encoder.length", "must be 1 to 200")
    if not 0 < encoder.decay <= 1:
        checks.fail("manifest.encoder.decay", "must be in (0, 1]")
    if not 0 <= encoder.alpha <= _LARGEST_RIDGE:
        checks.fail("manifest.encoder.alpha", f"must be 0 to {_LARGEST_RIDGE:.0f}")
    if not _LEAST_RIDGE <= encoder.regularization <= _LARGEST_RIDGE:
        checks.fail("manifest.encoder.regularization", f"must be 1e-9 to {_LARGEST_RIDGE:.0f}")
    names = [file.name for file in manifest.files]
    if sorted(names) not in (sorted((TOWER, SCORER)), sorted((TOWER, SCORER, ITEM_VECTORS))):
        checks.fail(
            "manifest.files", f"must be {TOWER} and {SCORER}, and may be {ITEM_VECTORS}, once each"
        )
        return
    for index, file in enumerate(manifest.files):
        most = _MAX_MODEL_BYTES if file.name in INPUTS else _MAX_FILE_BYTES
        if not 0 < file.size <= most:
            checks.fail(f"manifest.files[{index}].size", f"must be 1 to {most}")
        if len(file.sha256) != 32:
            checks.fail(f"manifest.files[{index}].sha256", "must be 32 bytes")


def _features_fault(names: Sequence[str]) -> str | None:
    """Return where names of features differ from the columns that rankers make, or None."""
    if are_first_columns(names):
        return None
    if OLDEST_COLUMNS <= len(names) <= len(COLUMNS):
        index = next(k for k, name in enumerate(names) if name != COLUMNS[k])
        wrong = f"{names[index][:40]!r} stands where they have {COLUMNS[index]!r}"
    else:
        wrong = f"there are {len(names)}"
    return (
        f"must be the {len(COLUMNS)} columns that rankers make, in their order, or at least the "
        f"first {OLDEST_COLUMNS}: {wrong}"
    )


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
        if one.HasField("return_window"):
            _check_return_window(checks, f"{field}.return_window", one.return_window)


def _check_return_window(checks: Checks, field: str, window: generation_pb2.ReturnWindow) -> None:
    for name, fault in return_window(window).faults():
        checks.fail(f"{field}.{name}", fault)


async def _file_fault(
    manifest: generation_pb2.GenerationManifest,
    name: str,
    content: bytes,
    contents: Sequence[Mapping[str, float]],
) -> str | None:
    """Return what is wrong with the content of a file, or None."""
    match name:
        case _ if name == TOWER:
            return await trial_fault(
                name, content, manifest.content_buckets, manifest.dimension, contents
            )
        case _ if name == SCORER:
            return await trial_fault(
                name, content, len(manifest.scorer_features), len(manifest.outcomes)
            )
        case _:
            return await vectors_trial_fault(content, manifest.dimension, manifest.max_norm)
