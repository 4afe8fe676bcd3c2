"""Rich statuses: a fault as `google.rpc.Status` with details, and back."""

from typing import cast

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.common.errors import (
    FieldViolation,
    HarkenError,
    InvalidRequestError,
    OverloadedError,
)
from services.common.validation import MAX_VIOLATIONS

DOMAIN = "harken"

# Details travel in a header, and a header has a limit: beyond it the client would see
# RESOURCE_EXHAUSTED instead of what is wrong.
_MAX_TEXT = 200
_MAX_MESSAGE = 1000


def status_of(error: HarkenError) -> status_pb2.Status:
    """Return the status of a fault: code, message, ErrorInfo, and BadRequest or RetryInfo."""
    more = ""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if isinstance(error, InvalidRequestError):
        bad_request = error_details_pb2.BadRequest()
        for violation in error.violations[:MAX_VIOLATIONS]:
            bad_request.field_violations.add(
                field=violation.field[:_MAX_TEXT], description=violation.description[:_MAX_TEXT]
            )
        details.append(bad_request)
        more = f"; and {error.more:,} more" if error.more else ""
    if isinstance(error, OverloadedError):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMicroseconds(int(error.retry_after_seconds * 1e6))
        details.append(retry)
    message = str(error)[: _MAX_MESSAGE - len(more)] + more
    return _status(error.code, message, details)


def internal_status(error_id: str) -> status_pb2.Status:
    """Return the status of a fault of ours, with the id under which the log has it."""
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN)
    info.metadata["error_id"] = error_id
    message = f"internal error {error_id}; the service log has it"
    return _status(grpc.StatusCode.INTERNAL, message, [info])


def _status(code: grpc.StatusCode, message: str, details: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code_pb2.Code.Value(code.name), message=message[:_MAX_MESSAGE])
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def reason_of(status: status_pb2.Status | None) -> str:
    """Return the reason in a status' ErrorInfo, or an empty string."""
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def received_status(error: grpc.RpcError) -> status_pb2.Status | None:
    """Return the rich status of a failed call; None where it has none of its own."""
    try:
        # An AioRpcError has all that is read here, though it is no Call.
        return cast("status_pb2.Status | None", rpc_status.from_call(cast("grpc.Call", error)))
    except ValueError:
        # The details belong to another status than the one received.
        return None


def violations_of(error: grpc.RpcError) -> list[FieldViolation]:
    """Return what a failed call says is wrong with fields of its request; none, where nothing."""
    status = received_status(error)
    found: list[FieldViolation] = []
    for detail in status.details if status is not None else ():
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(bad_request):
            found += [FieldViolation(v.field, v.description) for v in bad_request.field_violations]
    return found
