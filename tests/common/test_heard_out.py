"""Who streams requests and is refused is told why, in the middle of writing too (truth 13)."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from services.common import request_stream, rpc_interceptor
from services.common.call_limits import CallLimits
from services.common.errors import OverloadedError
from services.common.reloadable import Reloadable
from services.common.request_stream import RequestStream
from services.common.retry_info import hides_the_status, pause_seconds, retry_seconds_of
from services.common.rpc_interceptor import RpcInterceptor
from services.common.rpc_metrics import RpcMetrics
from tests.faults import fault_of

RETRY_SECONDS = 5.0
TRIES = 20
# Without hearing out, each of them fails in one of two tries or more often.
SIZES = ((4, 1_000), (30, 10_000), (20, 256 * 1024))


async def _refused(_requests: Any, _context: Any) -> bytes:
    raise OverloadedError("all are taken", RETRY_SECONDS)


async def _refused_later(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    yield await anext(aiter(requests))
    raise OverloadedError("all are taken", RETRY_SECONDS)


@contextlib.asynccontextmanager
async def _channel() -> AsyncIterator[grpc.aio.Channel]:
    limits = CallLimits(in_flight=10, queue_seconds=1.0)
    boundary = RpcInterceptor(RpcMetrics(CollectorRegistry()), Reloadable(limits))
    server = grpc.aio.server(interceptors=[boundary])
    handlers: Any = {
        "Upload": grpc.stream_unary_rpc_method_handler(_refused),
        "Exchange": grpc.stream_stream_rpc_method_handler(_refused_later),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("harken.test.Test", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


async def _iterated(channel: Any, count: int, size: int) -> None:
    async def requests() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(size)

    await channel.stream_unary("/harken.test.Test/Upload")(requests())


async def _written(channel: Any, count: int, size: int) -> None:
    call = channel.stream_unary("/harken.test.Test/Upload")()
    for _ in range(count):
        await call.write(bytes(size))
    await call.done_writing()
    await call


async def _exchanged(channel: Any, count: int, size: int) -> None:
    """Write without end of its own, as the feed's subscribers and imports do."""
    call = channel.stream_stream("/harken.test.Test/Exchange")()
    for _ in range(count):
        await call.write(bytes(size))
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("upload", [_iterated, _written, _exchanged])
async def test_a_refused_upload_gets_its_status_and_details(
    upload: Callable[[Any, int, int], Awaitable[None]], size: tuple[int, int]
) -> None:
    async with _channel() as channel:
        # Who does not end the stream is heard out until it is quiet, which takes its time.
        for _ in range(TRIES if upload is not _exchanged else TRIES // 4):
            error = await fault_of(upload(channel, *size))
            assert (error.code(), error.details()) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "all are taken",
            )
            assert retry_seconds_of(error) == RETRY_SECONDS


async def test_our_clients_come_again_when_grpc_lost_the_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As behind a server that hears nobody out, or not to the end."""
    monkeypatch.setattr(rpc_interceptor, "_MOST_HEARD_OUT", 0)
    async with _channel() as channel:
        for _ in range(10 * TRIES):
            error = await fault_of(_written(channel, *SIZES[-1]))
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                break
    assert hides_the_status(error)
    assert pause_seconds(error) is not None
    ours = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, details="internal error 1; see the log")
    assert pause_seconds(ours) is None


async def test_who_never_ends_is_not_heard_out_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_interceptor, "_HEAR_OUT_SECONDS", 0.2)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1_000)
            await asyncio.sleep(0)

    async with _channel() as channel, asyncio.timeout(10):
        method: Any = channel.stream_unary("/harken.test.Test/Upload")
        await fault_of(method(endless()))


async def test_hearing_out_ends_before_the_deadline_of_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The status arrives, not DEADLINE_EXCEEDED."""
    monkeypatch.setattr(request_stream, "QUIET_SECONDS", 60.0)
    monkeypatch.setattr(rpc_interceptor, "_HEAR_OUT_SECONDS", 60.0)
    async with _channel() as channel:
        method: Any = channel.stream_unary("/harken.test.Test/Upload")
        call = method(timeout=1.0)
        await call.write(b"one")
        assert (await fault_of(call)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


class _Bodies:
    """A stream of bodies as gRPC gives it: once a reader was cancelled, nothing more comes."""

    def __init__(self) -> None:
        self.queue = asyncio.Queue[bytes | None]()
        self.broken = False

    def __aiter__(self) -> "_Bodies":
        return self

    async def __anext__(self) -> bytes:
        if self.broken:
            raise StopAsyncIteration
        try:
            body = await self.queue.get()
        except asyncio.CancelledError:
            self.broken = True
            raise
        if body is None:
            raise StopAsyncIteration
        return body


async def _cancelled_reader(requests: RequestStream) -> None:
    reader = asyncio.ensure_future(anext(requests, None))
    # Two rounds of the loop: it has asked, and what it asked for waits.
    for _ in range(2):
        await asyncio.sleep(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)


async def test_a_reader_that_is_cancelled_takes_nothing_with_it() -> None:
    bodies = _Bodies()
    requests = RequestStream(bodies, bytes.decode)
    await _cancelled_reader(requests)
    for body in (b"one", b"two", None):
        bodies.queue.put_nowait(body)
    assert [request async for request in requests] == ["one", "two"]


async def test_a_stream_is_heard_out_to_its_end_and_nothing_of_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_stream, "QUIET_SECONDS", 60.0)
    parsed: list[bytes] = []
    bodies = _Bodies()
    requests = RequestStream(bodies, parsed.append)
    await _cancelled_reader(requests)
    for body in (b"one", b"two", b"three", None):
        bodies.queue.put_nowait(body)
    async with asyncio.timeout(10):
        await requests.hear_out(60.0)
    assert bodies.queue.empty()
    assert not parsed


async def test_hearing_out_ends_though_more_is_always_there() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"more"

    async with asyncio.timeout(10):
        await RequestStream(endless(), None).hear_out(0.05)


async def test_who_was_quiet_before_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real, gone = time.monotonic, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: real() + gone)
    monkeypatch.setattr(request_stream, "QUIET_SECONDS", 60.0)
    requests = RequestStream(_Bodies(), None)
    await _cancelled_reader(requests)
    gone = 61.0
    async with asyncio.timeout(10):
        await requests.hear_out(600.0)
    requests.close()
