"""What clients of both lanes do alike: read a stream, read ahead of it, and try again."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc

from services.common.jitter import jittered

SILENCE_SECONDS = 5.0
"""The server sends something every second; a stream silent for longer is dead."""

_FIRST_PAUSE_SECONDS = 0.05
_MAX_PAUSE_SECONDS = 1.0
_LASTING_SECONDS = 5.0
_T = TypeVar("_T")


class SilentStreamError(TimeoutError):
    """Nothing came for too long."""


class StreamReader:
    """Reads a stream, by one task at a time; one that is silent is dead, and is cancelled.

    One timer looks after all messages: to set one for each costs more than to read it.
    """

    def __init__(
        self,
        call: "grpc.aio.StreamStreamCall | grpc.aio.UnaryStreamCall",
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """Begin to look after `call`; `close` ends it."""
        self._call = call
        self._silence_seconds = silence_seconds
        self._loop = asyncio.get_running_loop()
        self._reading_since: float | None = None
        self._silent = False
        self._look = self._loop.call_later(silence_seconds, self._look_after)

    def close(self) -> None:
        """End the stream, and let go of it: grpc never collects an abandoned call."""
        self._look.cancel()
        self._call.cancel()

    async def next_message(self) -> Any:
        """Return the next message.

        Raises:
            ConnectionError: the stream ended, or the message cannot be decoded.
            SilentStreamError: the stream is silent.
            grpc.aio.AioRpcError: the stream broke.

        """
        self._reading_since = self._loop.time()
        try:
            message = await self._call.read()
        except asyncio.CancelledError:
            if self._silent and not _is_being_cancelled():
                raise SilentStreamError(
                    f"the stream was silent for {self._silence_seconds:g} s"
                ) from None
            raise
        finally:
            self._reading_since = None
        if message is grpc.aio.EOF:
            raise ConnectionError("the server ended the stream")
        # What gRPC makes of bytes that cannot be decoded.
        if message is None:
            raise ConnectionError("a message of the server cannot be decoded")
        return message

    def _look_after(self) -> None:
        now = self._loop.time()
        # While nobody reads, silence says nothing.
        since = now if self._reading_since is None else self._reading_since
        left = since + self._silence_seconds - now
        if left <= 0:
            self._silent = True
            self._call.cancel()
        else:
            self._look = self._loop.call_later(left, self._look_after)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Backoff:
    """Pauses between two streams: longer and longer, until one lasted."""

    def __init__(self) -> None:
        self._seconds = _FIRST_PAUSE_SECONDS

    async def pause(self, lasted_seconds: float) -> None:
        """Wait after a stream that lasted for so long."""
        if lasted_seconds > _LASTING_SECONDS:
            self._seconds = _FIRST_PAUSE_SECONDS
        await asyncio.sleep(jittered(self._seconds))
        self._seconds = min(self._seconds * 2, _MAX_PAUSE_SECONDS)


class ReadAhead(Generic[_T]):
    """Reads on while what was read is applied, so that what gathers is applied in one go."""

    def __init__(self, read: Callable[[], Awaitable[_T]], most: int) -> None:
        """Call `read` again and again, until it raises; hold back with so many that wait."""
        self._read = read
        self._queue: asyncio.Queue[_T | Exception] = asyncio.Queue(most)
        self._ended: Exception | None = None

    async def __aenter__(self) -> Self:
        """Begin to read."""
        self._reader = asyncio.create_task(self._read_on())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Read no more."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read_on(self) -> None:
        try:
            while True:
                await self._queue.put(await self._read())
        except Exception as error:  # whatever it is, it is raised where things are applied
            await self._queue.put(error)

    def full(self) -> bool:
        """Return whether no more can wait."""
        return self._queue.full()

    def end(self, error: Exception) -> None:
        """Have `check` raise an error soon, unless as many wait as can."""
        if not self._queue.full():
            self._queue.put_nowait(error)

    async def gathered(self) -> list[_T]:
        """Return what was read since, in order; wait for something. Then ask `check`."""
        arrived = [await self._queue.get()]
        while not self._queue.empty():
            arrived.append(self._queue.get_nowait())
        found: list[_T] = []
        for one in arrived:
            if not isinstance(one, Exception):
                found.append(one)
            elif self._ended is None:
                self._ended = one
        return found

    def check(self) -> None:
        """Raise what ended the reading, if anything that was gathered did."""
        if self._ended is not None:
            raise self._ended
