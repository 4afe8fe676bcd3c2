"""Reading rich errors."""

from collections.abc import Awaitable
from typing import Any, cast

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status


async def fault_of(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """Return the error that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def violations_of(call: Awaitable[Any]) -> list[tuple[str, str]]:
    """Return field and description of all that the INVALID_ARGUMENT of a call names, in order."""
    error = await fault_of(call)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    detail = error_details_pb2.BadRequest()
    assert _found(error, detail), "there is no BadRequest in it"
    return [(violation.field, violation.description) for violation in detail.field_violations]


def fields_of(error: grpc.aio.AioRpcError) -> set[str]:
    """Return the fields that the error's BadRequest names."""
    detail = error_details_pb2.BadRequest()
    _found(error, detail)
    return {violation.field for violation in detail.field_violations}


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Return the reason in the error's ErrorInfo."""
    detail = error_details_pb2.ErrorInfo()
    _found(error, detail)
    return str(detail.reason)


def _found(error: grpc.RpcError, detail: Message) -> bool:
    """Fill in the detail when the error has one of its type."""
    # An AioRpcError has all that is read here, though it is no Call.
    status = rpc_status.from_call(cast("grpc.Call", error))
    return status is not None and any(part.Unpack(detail) for part in status.details)
