"""Reading rich errors."""

from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


async def fault_of(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """Return the error that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def fields_of(error: grpc.aio.AioRpcError) -> set[str]:
    """Return the fields that the error's BadRequest names."""
    detail = error_details_pb2.BadRequest()
    for part in rpc_status.from_call(error).details:  # type: ignore[arg-type, union-attr]
        if part.Unpack(detail):
            return {violation.field for violation in detail.field_violations}
    return set()


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Return the reason in the error's ErrorInfo."""
    detail = error_details_pb2.ErrorInfo()
    for part in rpc_status.from_call(error).details:  # type: ignore[arg-type, union-attr]
        if part.Unpack(detail):
            return str(detail.reason)
    return ""
