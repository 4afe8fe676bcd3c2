"""Makes calls at once, in a process of its own, and prints how each ended.

    python -m tests.common.many_calls ADDRESS METHOD COUNT

A line per call: the status; of one that was shed also the seconds of its RetryInfo.
"""

import sys
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

_DEADLINE_SECONDS = 60.0


def outcome(call: Any) -> str:
    """Return how a call ended."""
    error = call.exception()
    if error is None:
        return "OK"
    status = rpc_status.from_call(error)
    retry = error_details_pb2.RetryInfo()
    if status is None or not any(detail.Unpack(retry) for detail in status.details):
        return str(error.code().name)
    return f"{error.code().name} {retry.retry_delay.ToTimedelta().total_seconds()}"


def main() -> None:
    """Make the calls."""
    address, method, count = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(method)
        begun = [call.future(b"", timeout=_DEADLINE_SECONDS) for _ in range(int(count))]
        for one in begun:
            sys.stdout.write(f"{outcome(one)}\n")


if __name__ == "__main__":
    main()
