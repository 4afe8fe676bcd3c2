"""GenerationService: models in and out, and which of them serve."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import grpc

from harken.feedback.v1 import generation_service_pb2 as pb
from harken.feedback.v1 import generation_service_pb2_grpc
from services.common.answer_size import CLIENT_BYTES
from services.common.position import token_of
from services.common.validation import Checks
from services.feedback.generations.generation_conversion import features_of_payload
from services.feedback.generations.generation_lifecycle import GenerationLifecycle
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.generations.generation_upload import GenerationUpload
from services.feedback.generations.upload_slots import UploadSlots
from services.feedback.log.tenant_registry import TenantRegistry

_MAX_UPLOADS = 2
_TRIED_ITEMS = 1024
"""Items of the catalogue that a tower is tried on."""
_FRAMING_BYTES = 8
"""More than a summary takes in an answer beside its own bytes."""


class GenerationServicer(generation_service_pb2_grpc.GenerationServiceServicer):
    """Keeps generations, and says which one serves."""

    def __init__(
        self, tenants: TenantRegistry, store: GenerationStore, lifecycle: GenerationLifecycle
    ) -> None:
        self._tenants = tenants
        self._store = store
        self._lifecycle = lifecycle
        # An upload is in memory until it is checked as a whole.
        self._uploads = UploadSlots(_MAX_UPLOADS)

    async def PublishGeneration(  # noqa: N802
        self,
        requests: AsyncIterator[pb.PublishGenerationRequest],
        context: grpc.aio.ServicerContext,
    ) -> pb.PublishGenerationResponse:
        """See generation_service.proto."""
        with self._uploads.slot() as slot:
            upload = GenerationUpload()
            async with contextlib.aclosing(slot.messages(requests)) as messages:
                async for request in messages:
                    if upload.manifest is None:
                        upload.begin(request)
                        await self._tenants.require(upload.tenant)
                    else:
                        upload.add(request)
            items = await self._store.sample_items(upload.tenant, _TRIED_ITEMS)
            # In a thread: large items take some tenths of a second.
            contents = await asyncio.to_thread(_contents, items)
            manifest, files = await upload.finish(contents)
            return pb.PublishGenerationResponse(manifest=await self._store.publish(manifest, files))

    async def DownloadGeneration(  # noqa: N802
        self, request: pb.DownloadGenerationRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.DownloadGenerationResponse]:
        """See generation_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        if request.generation_id:
            checks.id("generation_id", request.generation_id, 64)
        checks.size("file_names", len(request.file_names), 0, 10)
        checks.done()
        await self._tenants.require(tenant)
        manifest = await self._store.manifest(tenant, request.generation_id)
        yield pb.DownloadGenerationResponse(manifest=manifest)
        for file in manifest.files:
            if request.file_names and file.name not in request.file_names:
                continue
            async for data in self._store.chunks(tenant, manifest.generation_id, file.name):
                yield pb.DownloadGenerationResponse(chunk=pb.FileChunk(name=file.name, data=data))

    async def ListGenerations(  # noqa: N802
        self, request: pb.ListGenerationsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListGenerationsResponse:
        """See generation_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.done()
        await self._tenants.require(tenant)
        return _newest_that_fit(await self._store.list(tenant))

    async def PromoteGeneration(  # noqa: N802
        self, request: pb.PromoteGenerationRequest, context: grpc.aio.ServicerContext
    ) -> pb.PromoteGenerationResponse:
        """See generation_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.id("generation_id", request.generation_id, 64)
        if request.mode not in pb.PromotionMode.values():
            checks.fail("mode", "is not a mode")
        checks.done()
        await self._tenants.require(tenant)
        now = request.mode == pb.PROMOTION_MODE_NOW
        moved = await self._lifecycle.promote(tenant, request.generation_id, now)
        return pb.PromoteGenerationResponse(position=token_of(moved.position), state=moved.state)

    async def RollbackGeneration(  # noqa: N802
        self, request: pb.RollbackGenerationRequest, context: grpc.aio.ServicerContext
    ) -> pb.RollbackGenerationResponse:
        """See generation_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.done()
        await self._tenants.require(tenant)
        moved = await self._lifecycle.rollback(tenant)
        return pb.RollbackGenerationResponse(
            position=token_of(moved.position),
            generation_id=moved.generation_id,
            state=moved.state,
        )


def _contents(items: Sequence[bytes]) -> list[dict[str, float]]:
    return [features_of_payload(item) for item in items]


def _newest_that_fit(summaries: Sequence[pb.GenerationSummary]) -> pb.ListGenerationsResponse:
    """Return as many of the first summaries as an answer may hold."""
    answer = pb.ListGenerationsResponse()
    size = 0
    for summary in summaries:
        size += summary.ByteSize() + _FRAMING_BYTES
        if size > CLIENT_BYTES:
            break
        answer.generations.append(summary)
    return answer
