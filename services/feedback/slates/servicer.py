"""SlateService: the slates that rankers served."""

import grpc

from harken.internal.slates.v1 import slate_service_pb2 as pb
from harken.internal.slates.v1 import slate_service_pb2_grpc
from services.common.position import token_of
from services.common.validation import Checks
from services.feedback.log.tenant_registry import TenantRegistry
from services.feedback.slates.slate_recorder import SlateRecorder

_MAX_SLATES = 500


class SlateServicer(slate_service_pb2_grpc.SlateServiceServicer):
    """Takes slates into the log."""

    def __init__(self, tenants: TenantRegistry, slates: SlateRecorder) -> None:
        self._tenants = tenants
        self._slates = slates

    async def RecordSlates(  # noqa: N802
        self, request: pb.RecordSlatesRequest, context: grpc.aio.ServicerContext
    ) -> pb.RecordSlatesResponse:
        """See slate_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("slates", len(request.slates), 1, _MAX_SLATES)
        checks.done()
        await self._tenants.require(tenant)
        results, position = await self._slates.record(tenant, request.slates)
        return pb.RecordSlatesResponse(results=results, position=token_of(position))
