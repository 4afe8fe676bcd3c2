"""The deadline of a caller, as far as it may be spent waiting."""

from typing import cast

import grpc

_ANSWER_SHARE, _MAX_ANSWER_SECONDS = 0.1, 0.05
_ROUNDED_UP = 0.035
"""gRPC says up to 3% more than the caller gave: it rounds timeouts up, and sends the one before
again when the next is only a little shorter."""


def seconds_to_wait(context: grpc.aio.ServicerContext) -> float | None:
    """Return the seconds until the caller's deadline that may be spent waiting; None: no limit.

    Kept back is what making and sending the answer takes, so that whoever waits is told that the
    answer is stale instead of nothing.
    """
    # The stubs do not know that there may be none.
    left = cast("float | None", context.time_remaining())
    if left is None:
        return None
    return max(0.0, left * (1 - _ROUNDED_UP) - min(left * _ANSWER_SHARE, _MAX_ANSWER_SECONDS))
