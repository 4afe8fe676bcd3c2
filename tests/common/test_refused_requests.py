"""What is refused is gone at once, whatever its size (truth 13)."""

import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import grpc
from prometheus_client import CollectorRegistry

from services.common.call_limits import CallLimits
from services.common.errors import FieldViolation, InvalidRequestError
from services.common.reloadable import Reloadable
from services.common.rpc_interceptor import RpcInterceptor
from services.common.rpc_metrics import RpcMetrics
from tests.faults import fault_of, fields_of

_BYTES = 3_000_000
_CALLS = 8


async def _single(request: bytes, _context: Any) -> bytes:
    raise InvalidRequestError([FieldViolation("field", f"{len(request)} bytes")])


async def _stream(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield b"one"
    raise InvalidRequestError([FieldViolation("field", f"{len(request)} bytes")])


async def _read(call: Any) -> None:
    async for _ in call:
        pass


async def test_refused_requests_do_not_wait_for_the_garbage_collector() -> None:
    limits = CallLimits(in_flight=10, queue_seconds=1.0)
    server = grpc.aio.server(
        interceptors=[RpcInterceptor(RpcMetrics(CollectorRegistry()), Reloadable(limits))]
    )
    handlers: Any = {
        "Single": grpc.unary_unary_rpc_method_handler(_single),
        "Stream": grpc.unary_stream_rpc_method_handler(_stream),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("harken.test.Test", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            single: Any = channel.unary_unary("/harken.test.Test/Single")
            stream: Any = channel.unary_stream("/harken.test.Test/Stream")
            body = bytes(_BYTES)
            for _ in range(_CALLS):
                assert fields_of(await fault_of(single(body))) == {"field"}
                assert fields_of(await fault_of(_read(stream(body)))) == {"field"}
            # The end of a call may come a moment after its answer.
            await fault_of(single(b""))
            held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
        await server.stop(0)
    # One is that of the test.
    assert held < 2 * _BYTES + 1_000_000
