"""SlateService: the slates that rankers served."""

import grpc

from harken.internal.slates.v1 import slate_service_pb2 as pb
from harken.internal.slates.v1 import slate_service_pb2_grpc
from services.common.errors import MissingResourceError
from services.common.position import token_of
from services.common.validation import Checks
from services.common.vault.vault import UserVault
from services.feedback.log.tenant_registry import TenantRegistry
from services.feedback.slates.slate_conversion import served_again
from services.feedback.slates.slate_finder import SLATE_ID, SlateFinder
from services.feedback.slates.slate_recorder import SlateRecorder

_MAX_SLATES = 500


class SlateServicer(slate_service_pb2_grpc.SlateServiceServicer):
    """Takes slates into the log, and finds them there."""

    def __init__(
        self,
        tenants: TenantRegistry,
        slates: SlateRecorder,
        finder: SlateFinder,
        vault: UserVault,
    ) -> None:
        self._tenants = tenants
        self._slates = slates
        self._finder = finder
        self._vault = vault

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

    async def FindSlate(  # noqa: N802
        self, request: pb.FindSlateRequest, context: grpc.aio.ServicerContext
    ) -> pb.FindSlateResponse:
        """See slate_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        if not SLATE_ID.fullmatch(request.slate_id):
            checks.fail("slate_id", "is not the slate_id of an answer of Recommend")
        checks.done()
        await self._tenants.require(tenant)
        found = await self._finder.find(tenant, request.slate_id)
        subjects = await self._vault.subjects(tenant, [found.user_key])
        subject = subjects.get(found.user_key)
        if subject is None:
            raise MissingResourceError(
                f"nobody knows any more to whom {request.slate_id} was shown"
            )
        return pb.FindSlateResponse(slate=served_again(found, subject))
