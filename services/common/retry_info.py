"""When to call again: google.rpc.RetryInfo of a call that was shed, and how our clients obey it."""

import grpc
from google.rpc import error_details_pb2

from services.common.jitter import jittered
from services.common.status import received_status

MOST_SECONDS = 30.0
"""What a server may ask for at most; so that a wrong one does not stop its clients."""
_JITTER = 0.25
_UNTOLD_SECONDS = 0.5
"""For when the service may have said how long to wait, and grpc lost it."""


def retry_seconds_of(error: grpc.RpcError) -> float | None:
    """Return how long to wait before the same call, as the error's RetryInfo says, if it does."""
    status = received_status(error)
    for detail in status.details if status is not None else ():
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToMicroseconds() / 1e6)
    return None


def pause_seconds(error: grpc.RpcError) -> float | None:
    """Return how long to wait before the same call, when it was shed and the server says so, or may
    have said so (see `hides_the_status`).

    Up to a quarter longer than it says, so that those who were shed together do not come back
    together.
    """
    told = _UNTOLD_SECONDS if hides_the_status(error) else retry_seconds_of(error)
    if told is None:
        return None
    return jittered(min(max(told, 0.0), MOST_SECONDS), 1.0, 1.0 + _JITTER)


def hides_the_status(error: grpc.RpcError) -> bool:
    """Return whether grpc.aio says INTERNAL only because a stream ended while we were writing.

    The status that the service gave is lost then; the next attempt meets it again, if it stands.
    The service hears refused callers out to prevent that, but not for ever.
    """
    return (
        isinstance(error, grpc.aio.AioRpcError)
        and error.code() is grpc.StatusCode.INTERNAL
        and str(error.details()).startswith("Internal error from Core")
    )
