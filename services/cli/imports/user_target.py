"""Attributes of users go into their profiles."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc

from harken.profile.v1 import profile_pb2, profile_service_pb2, profile_service_pb2_grpc
from services.cli.clients import CALL_SECONDS, patiently
from services.cli.imports.row_import import RowTarget
from services.cli.imports.user_rows import UserColumns, profile_of
from services.dataset.row_fault import RowFault

_BATCH = 64


def user_target(
    stub: profile_service_pb2_grpc.ProfileServiceAsyncStub, tenant: str, columns: UserColumns
) -> RowTarget[profile_pb2.Profile]:
    """Return what writes the attributes of rows; the outcome is written."""

    async def update(profile: profile_pb2.Profile) -> str | RowFault:
        request = profile_service_pb2.UpdateProfileRequest(tenant=tenant, profile=profile)
        try:
            await patiently(lambda: stub.UpdateProfile(request, timeout=CALL_SECONDS))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            return RowFault("INVALID_ARGUMENT", error.details() or "")
        return "written"

    async def send(profiles: Sequence[profile_pb2.Profile]) -> Sequence[str | RowFault]:
        return await asyncio.gather(*(update(profile) for profile in profiles))

    async def known(profile: profile_pb2.Profile) -> bool:
        request = profile_service_pb2.GetProfileRequest(tenant=tenant, subject=profile.subject)
        try:
            answer = await stub.GetProfile(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return False
        return answer.profile.etag != ""

    return RowTarget(
        lambda row: profile_of(row, columns),
        lambda profile: profile.subject.user_id,
        send,
        known,
        _BATCH,
    )
