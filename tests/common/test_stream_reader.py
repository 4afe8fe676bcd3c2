"""Streams of the feed that nothing comes of are given up; those that are only not read are not."""

import asyncio
from typing import Any

import grpc
import pytest

from services.feed.stream import SilentStreamError, StreamReader


class Call:
    """A stream as grpc.aio reads it: who waits when it is cancelled is told CancelledError."""

    def __init__(self) -> None:
        self.cancelled = False
        self.coming: asyncio.Queue[Any] = asyncio.Queue()

    async def read(self) -> Any:
        message = await self.coming.get()
        if self.cancelled:
            raise asyncio.CancelledError
        return message

    def cancel(self) -> None:
        self.cancelled = True
        self.coming.put_nowait(None)


def opened(silence_seconds: float) -> tuple[Any, StreamReader]:
    call: Any = Call()
    return call, StreamReader(call, silence_seconds)


async def test_a_silent_stream_is_given_up() -> None:
    call, reader = opened(0.01)
    with pytest.raises(SilentStreamError, match=r"silent for 0\.01 s"):
        await reader.next_message()
    assert call.cancelled
    assert isinstance(SilentStreamError(), TimeoutError)
    reader.close()


async def test_silence_counts_from_the_message_before() -> None:
    loop = asyncio.get_running_loop()
    call, reader = opened(0.05)
    began = loop.time()
    for at in (0.03, 0.06, 0.09):
        loop.call_at(began + at, call.coming.put_nowait, at)
    assert [await reader.next_message() for _ in range(3)] == [0.03, 0.06, 0.09]
    last = loop.time()
    with pytest.raises(SilentStreamError):
        await reader.next_message()
    assert loop.time() - last >= 0.049
    reader.close()


async def test_what_is_not_read_is_not_silent() -> None:
    """Applying may take long; the stream is not to blame."""
    loop = asyncio.get_running_loop()
    call, reader = opened(0.01)
    applied: asyncio.Future[None] = loop.create_future()
    loop.call_later(0.05, applied.set_result, None)
    await applied
    assert not call.cancelled
    call.coming.put_nowait("there")
    assert await reader.next_message() == "there"
    reader.close()


async def test_who_is_cancelled_while_it_is_silent_is_cancelled() -> None:
    """A service that stops must not take it for a break, and try again."""
    call, reader = opened(60.0)
    task = asyncio.create_task(reader.next_message())
    await asyncio.sleep(0)
    reader._silent = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    reader.close()
    assert call.cancelled


async def test_the_end_and_what_cannot_be_decoded_are_breaks() -> None:
    call, reader = opened(60.0)
    for message, said in ((grpc.aio.EOF, "ended the stream"), (None, "cannot be decoded")):
        call.coming.put_nowait(message)
        with pytest.raises(ConnectionError, match=said):
            await reader.next_message()
    reader.close()
