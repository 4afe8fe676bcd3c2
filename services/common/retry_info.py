"""When to call again: google.rpc.RetryInfo of a call that was shed, and how our clients obey it."""

import random

import grpc
from google.rpc import error_details_pb2

from services.common.status import received_status

MOST_SECONDS = 30.0
"""What a server may ask for at most; so that a wrong one does not stop its clients."""
_JITTER = 0.25


def retry_seconds_of(error: grpc.RpcError) -> float | None:
    """Return how long to wait before the same call, as the error's RetryInfo says, if it does."""
    status = received_status(error)
    for detail in status.details if status is not None else ():
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToMicroseconds() / 1e6)
    return None


def pause_seconds(error: grpc.RpcError) -> float | None:
    """Return how long to wait before the same call, when it was shed and the server says so.

    Up to a quarter longer than it says, so that those who were shed together do not come back
    together.
    """
    told = retry_seconds_of(error)
    if told is None:
        return None
    return min(max(told, 0.0), MOST_SECONDS) * random.uniform(1.0, 1.0 + _JITTER)
