"""Chunks of events over ImportEvents: several in flight, resumed when the stream breaks."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, Protocol, TypeVar, cast

import grpc

from harken.feedback.v1 import feedback_service_pb2, feedback_service_pb2_grpc
from services.cli.clients import is_retryable
from services.cli.failures import CommandError
from services.common.jitter import jittered
from services.common.retry_info import hides_the_status, pause_seconds

WINDOW = 4
"""Chunks sent and not answered yet, at most."""

PATIENCE_SECONDS = 60.0
"""How long a service may be away in the middle of an import."""

_MAX_BACKOFF = 2.0


class Chunk(Protocol):
    """What is sent as one request and answered as one."""

    def request(self, tenant: str) -> feedback_service_pb2.ImportEventsRequest | None:
        """Return the request, None when there is nothing to send. Asked again after a break."""


ChunkT = TypeVar("ChunkT", bound=Chunk)
Answered = Callable[[ChunkT, feedback_service_pb2.ImportEventsResponse], None]


class EventStream(Generic[ChunkT]):
    """Sends chunks in order and reports each answer, in order.

    A chunk that has nothing to send is reported in its turn, with an empty answer.
    """

    def __init__(
        self,
        stub: feedback_service_pb2_grpc.FeedbackServiceAsyncStub,
        tenant: str,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._stub = stub
        self._tenant = tenant
        self._patience_seconds = patience_seconds
        self._unanswered: collections.deque[ChunkT] = collections.deque()
        self._room = asyncio.Event()
        self._pull: asyncio.Task[ChunkT | None] | None = None
        self._exhausted = False
        self._last_answer = 0.0

    async def send(self, chunks: AsyncIterator[ChunkT], answered: Answered[ChunkT]) -> None:
        """Send all chunks; a broken stream is opened again and what is unanswered sent again.

        Raises:
            grpc.aio.AioRpcError: the call is wrong, or the service was away for too long.
            CommandError: the service ends the stream again and again.

        """
        try:
            await self._send(chunks, answered)
        finally:
            if self._pull is not None:
                self._pull.cancel()

    async def _send(self, chunks: AsyncIterator[ChunkT], answered: Answered[ChunkT]) -> None:
        self._last_answer = time.monotonic()
        backoff = 0.1
        while not self._done():
            last_answer = self._last_answer
            broken: grpc.aio.AioRpcError | None = None
            try:
                await self._attempt(chunks, answered)
            except grpc.aio.AioRpcError as error:
                if not (is_retryable(error) or hides_the_status(error)):
                    raise
                broken = error
            if self._done():
                return
            if time.monotonic() - self._last_answer > self._patience_seconds:
                raise broken or CommandError("the service keeps ending the stream")
            backoff = 0.1 if self._last_answer > last_answer else min(backoff * 2, _MAX_BACKOFF)
            told = None if broken is None else pause_seconds(broken)
            await asyncio.sleep(told or jittered(backoff))

    def _done(self) -> bool:
        return self._exhausted and not self._unanswered

    async def _attempt(self, chunks: AsyncIterator[ChunkT], answered: Answered[ChunkT]) -> None:
        call = self._stub.ImportEvents()
        # Reading and writing go on at once: a server that waits for us to read its answers would
        # otherwise wait for ever while we wait for it to take the next chunk.
        writer = asyncio.create_task(self._write(call, chunks, answered))
        try:
            await self._read(call, answered, writer)
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await writer
            call.cancel()

    async def _write(
        self,
        call: grpc.aio.StreamStreamCall,
        chunks: AsyncIterator[ChunkT],
        answered: Answered[ChunkT],
    ) -> None:
        for chunk in list(self._unanswered):
            request = chunk.request(self._tenant)
            assert request is not None, "a chunk that was sent has nothing to send"
            await _write_to(call, request)
        while not self._exhausted:
            await self._at_most_unanswered(WINDOW - 1)
            new_chunk = await self._next_chunk(chunks)
            if new_chunk is None:
                self._exhausted = True
                break
            request = new_chunk.request(self._tenant)
            if request is None:
                await self._at_most_unanswered(0)
                answered(new_chunk, feedback_service_pb2.ImportEventsResponse())
            else:
                self._unanswered.append(new_chunk)
                await _write_to(call, request)
        await call.done_writing()

    async def _at_most_unanswered(self, count: int) -> None:
        while len(self._unanswered) > count:
            self._room.clear()
            await self._room.wait()

    async def _next_chunk(self, chunks: AsyncIterator[ChunkT]) -> ChunkT | None:
        # When the stream breaks while we wait for a chunk, the next attempt waits on: cancelling
        # an asynchronous generator would end it, and lose the rest of the rows.
        if self._pull is None:
            self._pull = asyncio.ensure_future(anext(chunks, None))
        chunk = await asyncio.shield(self._pull)
        self._pull = None
        return chunk

    async def _read(
        self,
        call: grpc.aio.StreamStreamCall,
        answered: Answered[ChunkT],
        writer: asyncio.Task[None],
    ) -> None:
        expected = 0
        while True:
            answer = await self._next_answer(call, writer)
            if answer is None:
                return
            if answer.chunk != expected or not self._unanswered:
                raise RuntimeError(f"expected the answer to chunk {expected}, got {answer.chunk}")
            expected += 1
            self._last_answer = time.monotonic()
            answered(self._unanswered.popleft(), answer)
            self._room.set()

    async def _next_answer(
        self, call: grpc.aio.StreamStreamCall, writer: asyncio.Task[None]
    ) -> feedback_service_pb2.ImportEventsResponse | None:
        reading: asyncio.Future[Any] = asyncio.ensure_future(call.read())
        watched: set[asyncio.Future[Any]] = set() if writer.done() else {writer}
        try:
            await asyncio.wait({reading, *watched}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                # Raises what broke the writer, a bad row of the source for example.
                writer.result()
            answer = await reading
        finally:
            reading.cancel()
        if answer is grpc.aio.EOF:
            await _raise_failure(call)
            return None
        return cast("feedback_service_pb2.ImportEventsResponse", answer)


async def _write_to(
    call: grpc.aio.StreamStreamCall, request: feedback_service_pb2.ImportEventsRequest
) -> None:
    try:
        await call.write(request)
    except asyncio.InvalidStateError:
        # What grpc says when the stream has ended. Why it has is what reading says.
        await asyncio.Event().wait()


async def _raise_failure(call: grpc.aio.StreamStreamCall) -> None:
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            code,
            await call.initial_metadata(),
            await call.trailing_metadata(),
            details=await call.details(),
        )
