"""Makes calls at once, in a process of its own, and prints how each ended.

    python -m tests.common.many_calls ADDRESS METHOD COUNT

A line per call: the status; of one that was shed also the seconds of its RetryInfo.
"""

import sys
from typing import Any

import grpc

from services.common.retry_info import retry_seconds_of

_DEADLINE_SECONDS = 60.0


def outcome(call: Any) -> str:
    """Return how a call ended."""
    error = call.exception()
    if error is None:
        return "OK"
    retry = retry_seconds_of(error)
    return str(error.code().name) if retry is None else f"{error.code().name} {retry}"


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
