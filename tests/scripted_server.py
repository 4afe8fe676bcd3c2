"""What services by script share: the server that they run on, and RPCs that no script has."""

from collections.abc import Callable
from typing import Any

import grpc

_OPTIONS = (
    # As services/common/server.py has them: a port of one's own, and pings of idle streams.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


def scripted_server(*interceptors: grpc.aio.ServerInterceptor) -> grpc.aio.Server:
    """Return a server that allows what the services' servers allow."""
    return grpc.aio.server(interceptors=interceptors, options=_OPTIONS)


async def _unscripted(_servicer: object, _request: Any, context: Any) -> Any:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in this script")


unscripted: Callable[..., Any] = _unscripted
"""A method of a servicer, for RPCs that its script does not have."""
