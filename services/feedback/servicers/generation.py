"""GenerationService: models in and out."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from harken.feedback.v1 import generation_service_pb2 as pb
from harken.feedback.v1 import generation_service_pb2_grpc
from services.common.errors import OverloadedError
from services.common.validation import Checks
from services.feedback.generation_upload import GenerationUpload
from services.feedback.store.generation_store import GenerationStore
from services.feedback.store.tenant_registry import TenantRegistry

_MAX_UPLOADS = 2


class GenerationServicer(generation_service_pb2_grpc.GenerationServiceServicer):
    """Keeps generations."""

    def __init__(self, tenants: TenantRegistry, store: GenerationStore) -> None:
        self._tenants = tenants
        self._store = store
        # An upload is in memory until it is checked as a whole.
        self._uploads = asyncio.Semaphore(_MAX_UPLOADS)

    async def PublishGeneration(  # noqa: N802
        self,
        requests: AsyncIterator[pb.PublishGenerationRequest],
        context: grpc.aio.ServicerContext,
    ) -> pb.PublishGenerationResponse:
        """See generation_service.proto."""
        if self._uploads.locked():
            raise OverloadedError(f"{_MAX_UPLOADS} generations are being uploaded already", 5.0)
        async with self._uploads:
            upload = GenerationUpload()
            async for request in requests:
                if upload.manifest is None:
                    upload.begin(request)
                    await self._tenants.require(upload.tenant)
                else:
                    upload.add(request)
            manifest, files = await upload.finish()
            return pb.PublishGenerationResponse(manifest=await self._store.publish(manifest, files))

    async def DownloadGeneration(  # noqa: N802
        self, request: pb.DownloadGenerationRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.DownloadGenerationResponse]:
        """See generation_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        if request.generation_id:
            checks.id("generation_id", request.generation_id, 64)
        checks.done()
        await self._tenants.require(tenant)
        manifest = await self._store.manifest(tenant, request.generation_id)
        yield pb.DownloadGenerationResponse(manifest=manifest)
        for file in manifest.files:
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
        return pb.ListGenerationsResponse(
            generations=[
                pb.GenerationSummary(manifest=manifest, state=state)
                for manifest, state in await self._store.list(tenant)
            ]
        )
