"""Attributes of users go into their profiles: of each only what its row says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import struct_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2, profile_service_pb2_grpc
from services.cli.clients import CALL_SECONDS, patiently
from services.cli.imports.row_import import RowTarget
from services.dataset.faults import RowFault
from services.dataset.fields.user_fields import UserRow

_BATCH = 64


def user_target(
    stub: profile_service_pb2_grpc.ProfileServiceAsyncStub, tenant: str
) -> RowTarget[UserRow]:
    """Return what writes the attributes of rows."""

    async def update(row: UserRow) -> str | RowFault:
        if row.given == ():
            # Nothing but the id: no path would mean all attributes.
            return "unchanged"
        try:
            profile = profile_of(row)
        except (ValueError, TypeError, RecursionError) as error:
            return RowFault("INVALID_VALUE", f"an attribute is no JSON value: {error}")
        request = profile_service_pb2.UpdateProfileRequest(tenant=tenant, profile=profile)
        if row.given is not None:
            request.update_mask.CopyFrom(
                FieldMask(paths=[f"attributes.{name}" for name in row.given])
            )
        try:
            await patiently(lambda: stub.UpdateProfile(request, timeout=CALL_SECONDS))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            return RowFault("INVALID_ARGUMENT", error.details() or "")
        return "updated"

    async def send(rows: Sequence[UserRow]) -> Sequence[str | RowFault]:
        return await asyncio.gather(*(update(row) for row in rows))

    async def known(row: UserRow) -> bool:
        subject = subject_of(row)
        request = profile_service_pb2.GetProfileRequest(tenant=tenant, subject=subject)
        try:
            answer = await stub.GetProfile(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return False
        return answer.profile.etag != ""

    return RowTarget(
        lambda row: f"u:{row.user}" if row.user else f"s:{row.session}",
        send,
        known,
        _BATCH,
    )


def subject_of(row: UserRow) -> subject_pb2.Subject:
    """Return whom a row is about."""
    if row.user:
        return subject_pb2.Subject(user_id=row.user)
    return subject_pb2.Subject(session_id=row.session)


def profile_of(row: UserRow) -> profile_pb2.Profile:
    """Return the profile, with attributes only, that a row says.

    Raises:
        ValueError, TypeError: an attribute is no JSON value.

    """
    attributes = struct_pb2.Struct()
    given: Any = {name: one for name, one in row.attributes.items() if one is not None}
    attributes.update(given)
    return profile_pb2.Profile(subject=subject_of(row), attributes=attributes)
