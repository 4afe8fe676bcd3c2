"""ExportUser: all that is stored of a user, part by part."""

from collections.abc import AsyncIterator

import grpc

from harken.internal.users.v1 import user_log_service_pb2 as log_pb
from harken.internal.users.v1 import user_log_service_pb2_grpc
from harken.profile.v1 import profile_service_pb2 as pb
from harken.profile.v1 import user_export_pb2
from services.common.deadline import seconds_to_wait
from services.common.errors import MissingResourceError, OverloadedError, StoreUnavailableError
from services.common.position import decode_position
from services.common.retry_info import pause_seconds
from services.common.validation import Checks
from services.common.vault.vault import UserVault
from services.profile.convert import profile_of
from services.profile.freshness import Freshness
from services.profile.store.profile_store import ProfileStore, StoredProfile

SCHEMA = 1
_LONGEST_SECONDS = 3600.0
_WAIT_SECONDS = 10.0
_PARTS = ("attributes", "state", "counters", "seen", "behaviour")


class UserExport:
    """Reads a user from the log and from here."""

    def __init__(
        self,
        profiles: ProfileStore,
        freshness: Freshness,
        channel: grpc.aio.Channel,
        vault: UserVault,
    ) -> None:
        self._profiles = profiles
        self._freshness = freshness
        self._vault = vault
        self._stub: user_log_service_pb2_grpc.UserLogServiceAsyncStub
        self._stub = user_log_service_pb2_grpc.UserLogServiceStub(channel)  # type: ignore[assignment]

    async def parts(
        self, request: pb.ExportUserRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[user_export_pb2.UserExportPart]:
        """Yield the parts; see profile_service.proto.

        Raises:
            InvalidRequestError, MissingResourceError: the request is wrong; nothing is stored.
            OverloadedError: others are exported.
            StoreUnavailableError: the store or the log is away.

        """
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("subject", request.subject)
        checks.done()
        user_key = self._vault.pseudonyms.key_of(tenant, request.subject)
        seconds = seconds_to_wait(context) or _LONGEST_SECONDS
        header = user_export_pb2.UserExportHeader(schema=SCHEMA, subject=request.subject)
        header.export_time.GetCurrentTime()
        events = slates = 0
        begun = False
        try:
            pages = self._stub.ReadUser(
                log_pb.ReadUserRequest(tenant=tenant, user_key=user_key), timeout=seconds
            )
            async for page in pages:
                if not header.position:
                    header.position = page.position
                    stored = await self._stored(tenant, user_key, page.position)
                    if stored.is_known:
                        begun = True
                        yield user_export_pb2.UserExportPart(header=header)
                        names = await self._vault.subjects(
                            tenant, {stored.user_key, *stored.merged}
                        )
                        profile = profile_of(request.subject, stored, _PARTS, names)
                        yield user_export_pb2.UserExportPart(profile=profile)
                elif not begun:
                    begun = True
                    yield user_export_pb2.UserExportPart(header=header)
                if page.events:
                    events += len(page.events)
                    own = user_export_pb2.UserExportEvents(events=page.events)
                    yield user_export_pb2.UserExportPart(events=own)
                if page.slates.slates:
                    slates += len(page.slates.slates)
                    yield user_export_pb2.UserExportPart(slates=page.slates)
        except grpc.aio.AioRpcError as error:
            raise _fault(error) from error
        if not begun:
            raise MissingResourceError("nothing is stored of the subject")
        end = user_export_pb2.UserExportEnd(events=events, slates=slates)
        yield user_export_pb2.UserExportPart(end=end)

    async def _stored(self, tenant: str, user_key: bytes, position: bytes) -> StoredProfile:
        """Return what is here, once it reflects a position."""
        await self._freshness.wait(decode_position(position), _WAIT_SECONDS, strict=True)
        (stored,) = (await self._profiles.read(tenant, [user_key])).profiles
        return stored


def _fault(error: grpc.aio.AioRpcError) -> Exception:
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return OverloadedError("others are exported", pause_seconds(error) or 1.0)
    return StoreUnavailableError(f"the log is away: {error.details()}")
