"""The client against a server of grpc.aio: every call arrives whole, and failures are counted."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.speed import client
from tests.benchmarks.speed.http2 import DATA, END_STREAM, MARK, Call, Frame, Reader, frame

PATH = "/a.Service/Method"
CALLS = 64


class Heard(grpc.GenericRpcHandler):
    """Echoes; fails what begins with "no"."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.deadlines: list[float | None] = []

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method != PATH:
            return None

        async def say(request: bytes, context: Any) -> bytes:
            self.messages.append(request)
            self.deadlines.append(context.time_remaining())
            if request.startswith(b"no"):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "it says so")
            return request

        return grpc.unary_unary_rpc_method_handler(say)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, Heard]]:
    heard, server = Heard(), grpc.aio.server()
    server.add_generic_rpc_handlers((heard,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", heard
    finally:
        await server.stop(None)


async def test_calls_one_after_the_other() -> None:
    messages = [b"one", b"", b"three" * 10_000, b"no"]
    async with serving() as (target, heard):
        told = await asyncio.to_thread(
            client.apart, target, PATH, [one.hex() for one in messages], CALLS, 0.0
        )
    assert heard.messages == messages * (CALLS // len(messages))
    assert told["failed"] == CALLS // len(messages)
    assert all(one is not None and 0 < one <= 10 for one in heard.deadlines)
    assert 0 < told["p50"] <= told["p99"]


async def test_calls_at_once() -> None:
    async with serving() as (target, heard):
        told = await asyncio.to_thread(
            client.together, target, PATH, [b"yes".hex(), b"no".hex()], 8, 0.05
        )
    counts = Counter(heard.messages)
    assert told["calls"] == len(heard.messages) >= 8
    assert told["failed"] == counts[b"no"]
    assert abs(counts[b"yes"] - counts[b"no"]) <= 1


async def test_calls_at_once_by_grpc_aio() -> None:
    heard, server = Heard(), grpc.aio.server()
    server.add_generic_rpc_handlers((heard,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    told = await client._aio(f"127.0.0.1:{port}", PATH, [b"yes", b"no"], 8, 0.05)
    await server.stop(None)
    assert told["calls"] == len(heard.messages) >= 8
    assert told["failed"] == heard.messages.count(b"no")


async def test_paced_calls_all_come() -> None:
    async with serving() as (target, heard):
        told = await asyncio.to_thread(
            client.paced, target, PATH, [b"yes".hex()], 1_000.0, CALLS / 1_000
        )
    assert len(told["each"]) == len(heard.messages) == CALLS
    dues = sorted(due for due, _ in told["each"])
    assert dues[-1] - dues[0] == pytest.approx((CALLS - 1) / 1_000)
    assert not told["failed"]


async def test_each_call_has_its_number() -> None:
    message = f"event-{MARK}!".encode().hex()
    async with serving() as (target, heard):
        await asyncio.to_thread(client.apart, target, PATH, [message], CALLS, 0.0)
    assert heard.messages == [b"event-%08d!" % number for number in range(CALLS)]


async def test_an_unknown_method_is_a_failure() -> None:
    async with serving() as (target, _):
        told = await asyncio.to_thread(client.apart, target, "/a.Service/No", ["00"], 3, 0.0)
    assert told["failed"] == 3


async def test_a_server_that_goes_away_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def hang_up() -> None:
            one, _ = listening.accept()
            one.close()

        going = asyncio.to_thread(hang_up)
        calling = asyncio.to_thread(client.apart, f"127.0.0.1:{port}", PATH, ["00"], 1, 0.0)
        _, found = await asyncio.gather(going, calling, return_exceptions=True)
    assert isinstance(found, ConnectionError)


def test_a_field_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="126"):
        Call("/" + "a" * 126, b"", "x")


@given(
    st.lists(
        st.builds(
            Frame, st.integers(0, 9), st.integers(0, 255), st.integers(0, 2**31 - 1),
            st.binary(max_size=400),
        )
    ),
    st.integers(1, 64),
)  # fmt: skip
def test_frames_are_read_however_they_are_cut(frames: list[Frame], size: int) -> None:
    data = b"".join(frame(one.kind, one.flags, one.stream, one.payload) for one in frames)
    reader = Reader()
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    assert [one for part in parts for one in reader.frames(part)] == frames


def test_a_call_is_the_same_on_every_stream_but_for_its_number() -> None:
    call = Call(PATH, b"message", "somewhere")
    one, other = (list(Reader().frames(call.on(stream))) for stream in (1, 12_345))
    assert [part.stream for part in one] == [1, 1]
    assert [part.stream for part in other] == [12_345, 12_345]
    assert [part.payload for part in one] == [part.payload for part in other]
    assert one[1] == Frame(DATA, END_STREAM, 1, b"\0\0\0\0\7message")
