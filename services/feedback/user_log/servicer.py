"""UserLogService on the wire."""

import hashlib
from collections.abc import AsyncIterator

import grpc
from google.protobuf.message import DecodeError

from harken.internal.users.v1 import user_log_service_pb2 as pb
from harken.internal.users.v1 import user_log_service_pb2_grpc
from harken.profile.v1 import erasure_pb2
from services.common.position import token_of
from services.common.validation import Checks
from services.feedback.user_log.erasure_store import ErasureStore, NewErasure, tombstone_of
from services.feedback.user_log.user_reader import UserReader

_MAX_KEY_BYTES = 256
_MAX_ID_BYTES = 64
_MAX_RECEIPTS = 1000


class UserLogServicer(user_log_service_pb2_grpc.UserLogServiceServicer):
    """Reads users from the log, and erases them."""

    def __init__(self, erasures: ErasureStore, reader: UserReader) -> None:
        self._erasures = erasures
        self._reader = reader

    async def AppendErasure(  # noqa: N802
        self, request: pb.AppendErasureRequest, context: grpc.aio.ServicerContext
    ) -> pb.AppendErasureResponse:
        """See user_log_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("erasure_id", len(request.erasure_id.encode()), 1, _MAX_ID_BYTES)
        tombstone = request.tombstone
        if request.user_key:
            checks.size("user_key", len(request.user_key), 1, _MAX_KEY_BYTES)
            tombstone = tombstone_of(request.user_key)
        elif len(tombstone) != hashlib.sha256().digest_size:
            checks.fail("tombstone", "must be 32 bytes where there is no user_key")
        if request.erased_at_us < 0:
            checks.fail("erased_at_us", "must not be negative")
        checks.done()
        logged = await self._erasures.append(
            NewErasure(
                tenant, request.erasure_id, request.user_key, tombstone, request.erased_at_us
            )
        )
        return pb.AppendErasureResponse(
            position=token_of(logged.position), erased_at_us=logged.erased_at_us
        )

    async def GetErasureProgress(  # noqa: N802
        self, request: pb.GetErasureProgressRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetErasureProgressResponse:
        """See user_log_service.proto."""
        found = await self._erasures.progress(request.erasure_id)
        return pb.GetErasureProgressResponse(
            state=found.state,
            position=token_of(found.logged.position),
            erased_at_us=found.logged.erased_at_us,
            searched=found.searched,
            entries=found.entries,
            receipts=found.receipts,
        )

    async def AddReceipts(  # noqa: N802
        self, request: pb.AddReceiptsRequest, context: grpc.aio.ServicerContext
    ) -> pb.AddReceiptsResponse:
        """See user_log_service.proto."""
        checks = Checks()
        checks.size("receipts", len(request.receipts), 1, _MAX_RECEIPTS)
        checks.done()
        for index, receipt in enumerate(request.receipts):
            try:
                said = erasure_pb2.ErasureStatement.FromString(receipt.statement)
            except DecodeError:
                said = erasure_pb2.ErasureStatement()
            if not (said.erasure_id and said.component and said.instance):
                checks.fail(f"receipts[{index}].statement", "must name erasure and component")
        checks.done()
        await self._erasures.keep(request.receipts)
        return pb.AddReceiptsResponse()

    async def ReadUser(  # noqa: N802
        self, request: pb.ReadUserRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ReadUserResponse]:
        """See user_log_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("user_key", len(request.user_key), 1, _MAX_KEY_BYTES)
        checks.done()
        async for page in self._reader.pages(tenant, request.user_key):
            yield pb.ReadUserResponse(
                position=token_of(page.through), events=page.events, slates=page.slates
            )
