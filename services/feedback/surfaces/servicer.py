"""SurfaceService: how slates of surfaces are made."""

import asyncio
from collections.abc import Collection

import grpc

from harken.feedback.v1 import generation_pb2, surface_service_pb2_grpc
from harken.feedback.v1 import surface_service_pb2 as pb
from services.common.errors import MissingResourceError
from services.common.position import token_of
from services.common.validation import Checks
from services.feedback.documents.document_checks import (
    check_note,
    check_revision,
)
from services.feedback.documents.document_reads import DocumentReads
from services.feedback.documents.document_store import DocumentStore
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.log.tenant_registry import TenantRegistry
from services.feedback.surfaces.description.description import described
from services.feedback.surfaces.surface_checks import check_surface
from services.feedback.surfaces.surface_conversion import surface_of
from services.feedback.surfaces.surface_keeper import SurfaceKeeper
from services.feedback.surfaces.surface_warnings import SurfaceWarnings


class SurfaceServicer(surface_service_pb2_grpc.SurfaceServiceServicer):
    """Keeps surfaces."""

    def __init__(
        self,
        tenants: TenantRegistry,
        store: DocumentStore,
        sources: Collection[str],
        generations: GenerationStore,
        warnings: SurfaceWarnings,
    ) -> None:
        """`sources`: names of the sources of candidates that there are. `generations` say which
        outcomes there are, `warnings` what is most likely a typo.
        """
        self._warnings = warnings
        self._generations = generations
        self._tenants = tenants
        self._reads = DocumentReads(tenants, store)
        self._sources = sources
        self._keeper = SurfaceKeeper(store, sources)

    async def PutSurface(  # noqa: N802
        self, request: pb.PutSurfaceRequest, context: grpc.aio.ServicerContext
    ) -> pb.PutSurfaceResponse:
        """See surface_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        # In a thread: many long expressions take a second.
        await asyncio.to_thread(check_surface, checks, request.surface, self._sources)
        checks.done()
        await self._tenants.require(tenant)
        warnings = await self._warnings.of(tenant, "surface.config", request.surface.config)
        if request.validate_only:
            tried = await self._keeper.try_put(tenant, request.surface)
            return pb.PutSurfaceResponse(surface=tried, warnings=warnings)
        surface, position = await self._keeper.put(tenant, request.surface)
        return pb.PutSurfaceResponse(
            surface=surface, position=token_of(position), warnings=warnings
        )

    async def GetSurface(  # noqa: N802
        self, request: pb.GetSurfaceRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetSurfaceResponse:
        """See surface_service.proto."""
        return pb.GetSurfaceResponse(surface=surface_of(await self._reads.one(request)))

    async def DescribeSurface(  # noqa: N802
        self, request: pb.DescribeSurfaceRequest, context: grpc.aio.ServicerContext
    ) -> pb.DescribeSurfaceResponse:
        """See surface_service.proto."""
        tenant = await self._reads.checked(request)
        surface = await self._keeper.configured(tenant, request.name, request.revision)
        try:
            serving = await self._generations.manifest(tenant, "")
        except MissingResourceError:
            serving = generation_pb2.GenerationManifest()
        return pb.DescribeSurfaceResponse(
            name=request.name,
            revision=surface.revision,
            generation_id=serving.generation_id,
            sections=[
                pb.DescriptionSection(heading=heading, sentences=sentences)
                for heading, sentences in described(surface.config, serving.outcomes)
            ],
        )

    async def ListSurfaces(  # noqa: N802
        self, request: pb.ListSurfacesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListSurfacesResponse:
        """See surface_service.proto."""
        documents, token = await self._reads.page(request)
        return pb.ListSurfacesResponse(surfaces=map(surface_of, documents), next_page_token=token)

    async def ListSurfaceRevisions(  # noqa: N802
        self, request: pb.ListSurfaceRevisionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListSurfaceRevisionsResponse:
        """See surface_service.proto."""
        documents, token = await self._reads.revisions(request)
        return pb.ListSurfaceRevisionsResponse(
            revisions=map(surface_of, documents), next_page_token=token
        )

    async def RollbackSurface(  # noqa: N802
        self, request: pb.RollbackSurfaceRequest, context: grpc.aio.ServicerContext
    ) -> pb.RollbackSurfaceResponse:
        """See surface_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.name("name", request.name)
        check_revision(checks, request.revision, required=True)
        check_note(checks, "note", request.note)
        checks.done()
        await self._tenants.require(tenant)
        surface, position = await self._keeper.roll_back(
            tenant, request.name, request.revision, request.etag, request.note
        )
        return pb.RollbackSurfaceResponse(surface=surface, position=token_of(position))

    async def DeleteSurface(  # noqa: N802
        self, request: pb.DeleteSurfaceRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteSurfaceResponse:
        """See surface_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.name("name", request.name)
        check_note(checks, "note", request.note)
        checks.done()
        await self._tenants.require(tenant)
        position = await self._keeper.delete(tenant, request.name, request.note, request.etag)
        return pb.DeleteSurfaceResponse(position=token_of(position))
