"""Fetches generations: over the wire, checked against their manifest, loaded from bytes."""

import asyncio
import hashlib
from typing import Any

import grpc

from harken.feedback.v1 import generation_pb2, generation_service_pb2_grpc
from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.candidate_features import are_first_columns
from services.common.fold_in import FoldInEncoder
from services.common.logs import logger
from services.common.onnx_model import ITEM_VECTORS, SCORER
from services.common.ranking.features import FEATURES
from services.common.ranking.scorer import Scorer, UnusableScorerError
from services.ranker.domain.generation import Generation
from services.ranker.frame_applier import UnusableGenerationError
from services.ranker.metrics import RankerMetrics

_log = logger("generations")


class GenerationLoader:
    """Downloads from GenerationService."""

    def __init__(
        self, channel: grpc.aio.Channel, metrics: RankerMetrics, timeout_seconds: float
    ) -> None:
        self._stub: generation_service_pb2_grpc.GenerationServiceAsyncStub
        self._stub = generation_service_pb2_grpc.GenerationServiceStub(channel)  # type: ignore[assignment]
        self._metrics = metrics
        self._timeout = timeout_seconds

    async def load(self, tenant: str, manifest: generation_pb2.GenerationManifest) -> Generation:
        """Return a generation with its scorer, ready to serve.

        Raises:
            UnusableGenerationError: it wants features that we cannot make, a file is missing or
                differs from the manifest in size or checksum, or the scorer is unusable.
            ConnectionError: the service is away, or broke off.

        """
        try:
            with self._metrics.generation_seconds.time():
                generation = await self._load(tenant, manifest)
        except UnusableGenerationError:
            self._metrics.generations_unusable.inc()
            raise
        except ConnectionError:
            self._metrics.generations_away.inc()
            raise
        self._metrics.generations_loaded.inc()
        return generation

    async def _load(self, tenant: str, manifest: generation_pb2.GenerationManifest) -> Generation:
        features = tuple(manifest.scorer_features)
        if not are_first_columns(features):
            raise UnusableGenerationError(
                f"generation {manifest.generation_id!r} wants features {features}, "
                f"this ranker makes {FEATURES}"
            )
        outcomes = tuple(outcome.name for outcome in manifest.outcomes)
        model = await self._download(tenant, manifest)
        try:
            scorer = await asyncio.to_thread(Scorer, model, features, outcomes)
        except UnusableScorerError as error:
            raise UnusableGenerationError(str(error)) from error
        _log.info("generation loaded", tenant=tenant, generation=manifest.generation_id)
        return Generation(
            manifest.generation_id,
            int(manifest.dimension),
            float(manifest.max_norm),
            scorer,
            FoldInEncoder(
                int(manifest.encoder.length),
                float(manifest.encoder.decay),
                float(manifest.encoder.alpha),
                float(manifest.encoder.regularization),
                float(manifest.max_norm),
            ),
            tuple(float(outcome.weight) for outcome in manifest.outcomes),
        )

    async def _download(self, tenant: str, manifest: generation_pb2.GenerationManifest) -> bytes:
        """Return the scorer's bytes, once every file was seen to fit the manifest."""
        # Start vectors are the learner's: rankers get all vectors by the feed.
        files = {
            file.name: _FileCheck(file) for file in manifest.files if file.name != ITEM_VECTORS
        }
        request = pb.DownloadGenerationRequest(
            tenant=tenant, generation_id=manifest.generation_id, file_names=list(files)
        )
        if SCORER not in files:
            raise UnusableGenerationError(f"the manifest names no {SCORER}")
        model = bytearray()
        call = self._stub.DownloadGeneration(request, timeout=self._timeout)
        try:
            async for message in call:
                if not message.HasField("chunk"):
                    continue
                check = files.get(message.chunk.name)
                if check is None:
                    raise UnusableGenerationError(f"{message.chunk.name!r} is not in the manifest")
                check.add(message.chunk.data)
                if message.chunk.name == SCORER:
                    model += message.chunk.data
        except grpc.aio.AioRpcError as error:
            raise ConnectionError(
                f"download of generation {manifest.generation_id!r} failed: "
                f"{error.code().name} {error.details()}"
            ) from error
        finally:
            # grpc never collects an abandoned call.
            call.cancel()
        for check in files.values():
            check.finish()
        return bytes(model)


class _FileCheck:
    """Size and checksum of one file, taken as its bytes come in."""

    def __init__(self, file: generation_pb2.GenerationFile) -> None:
        self._file = file
        self._size = 0
        self._digest: Any = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._file.size:
            raise UnusableGenerationError(
                f"{self._file.name} is longer than the {self._file.size} bytes of the manifest"
            )
        self._digest.update(data)

    def finish(self) -> None:
        if self._size != self._file.size:
            raise UnusableGenerationError(
                f"{self._file.name} has {self._size} bytes, the manifest says {self._file.size}"
            )
        if self._digest.digest() != self._file.sha256:
            raise UnusableGenerationError(f"{self._file.name} has another SHA-256 than stated")
