"""Chunks of events over ImportEvents: several in flight, resumed when the stream breaks."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import grpc

from harken.feedback.v1 import event_pb2, feedback_service_pb2, feedback_service_pb2_grpc
from services.cli.clients import is_retryable
from services.cli.failures import CommandError
from services.cli.imports.event_rows import EventRow
from services.common.retry_info import pause_seconds

WINDOW = 4
"""Chunks sent and not answered yet, at most."""

PATIENCE_SECONDS = 60.0
"""How long a service may be away in the middle of an import."""

_MAX_BACKOFF = 2.0
_UNTOLD_SECONDS = 0.5
"""For when the service may have said how long to wait, and grpc lost it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of a history. Rows with a fault hold their place and are not sent."""

    rows: Sequence[EventRow]

    @property
    def last_row(self) -> int:
        """Number of the last row."""
        return self.rows[-1].row.number

    def events(self) -> list[event_pb2.Event]:
        """Return the events to send."""
        return [row.event for row in self.rows if row.event is not None]

    def sent_rows(self) -> list[EventRow]:
        """Return the rows that were sent, in the order of their ordinals."""
        return [row for row in self.rows if row.event is not None]


Answered = Callable[[Chunk, feedback_service_pb2.ImportEventsResponse], None]


class EventStream:
    """Sends chunks in order and reports each answer, in order."""

    def __init__(
        self,
        stub: feedback_service_pb2_grpc.FeedbackServiceAsyncStub,
        tenant: str,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._stub = stub
        self._tenant = tenant
        self._patience_seconds = patience_seconds
        self._unanswered: collections.deque[Chunk] = collections.deque()
        self._room = asyncio.Event()
        self._pull: asyncio.Task[Chunk | None] | None = None
        self._exhausted = False
        self._last_answer = 0.0

    async def send(self, chunks: AsyncIterator[Chunk], answered: Answered) -> None:
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

    async def _send(self, chunks: AsyncIterator[Chunk], answered: Answered) -> None:
        self._last_answer = time.monotonic()
        backoff = 0.1
        while not self._done():
            last_answer = self._last_answer
            broken: grpc.aio.AioRpcError | None = None
            try:
                await self._attempt(chunks, answered)
            except grpc.aio.AioRpcError as error:
                if not (is_retryable(error) or _hides_the_status(error)):
                    raise
                broken = error
            if self._done():
                return
            if time.monotonic() - self._last_answer > self._patience_seconds:
                raise broken or CommandError("the service keeps ending the stream")
            backoff = 0.1 if self._last_answer > last_answer else min(backoff * 2, _MAX_BACKOFF)
            await asyncio.sleep(_told_seconds(broken) or backoff * random.uniform(0.5, 1.0))

    def _done(self) -> bool:
        return self._exhausted and not self._unanswered

    async def _attempt(self, chunks: AsyncIterator[Chunk], answered: Answered) -> None:
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
        chunks: AsyncIterator[Chunk],
        answered: Answered,
    ) -> None:
        for chunk in list(self._unanswered):
            await _write_to(call, self._request(chunk))
        while not self._exhausted:
            await self._at_most_unanswered(WINDOW - 1)
            new_chunk = await self._next_chunk(chunks)
            if new_chunk is None:
                self._exhausted = True
            elif new_chunk.events():
                self._unanswered.append(new_chunk)
                await _write_to(call, self._request(new_chunk))
            else:
                # An empty chunk is no request. Its rows are reported in their turn.
                await self._at_most_unanswered(0)
                answered(new_chunk, feedback_service_pb2.ImportEventsResponse())
        await call.done_writing()

    async def _at_most_unanswered(self, count: int) -> None:
        while len(self._unanswered) > count:
            self._room.clear()
            await self._room.wait()

    async def _next_chunk(self, chunks: AsyncIterator[Chunk]) -> Chunk | None:
        # When the stream breaks while we wait for a chunk, the next attempt waits on: cancelling
        # an asynchronous generator would end it, and lose the rest of the rows.
        if self._pull is None:
            self._pull = asyncio.ensure_future(anext(chunks, None))
        chunk = await asyncio.shield(self._pull)
        self._pull = None
        return chunk

    async def _read(
        self, call: grpc.aio.StreamStreamCall, answered: Answered, writer: asyncio.Task[None]
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

    def _request(self, chunk: Chunk) -> feedback_service_pb2.ImportEventsRequest:
        return feedback_service_pb2.ImportEventsRequest(tenant=self._tenant, events=chunk.events())


async def _write_to(
    call: grpc.aio.StreamStreamCall, request: feedback_service_pb2.ImportEventsRequest
) -> None:
    try:
        await call.write(request)
    except asyncio.InvalidStateError:
        # What grpc says when the stream has ended. Why it has is what reading says.
        await asyncio.Event().wait()


def _told_seconds(broken: grpc.aio.AioRpcError | None) -> float | None:
    """Return how long the service asks to wait before the next attempt, if it does."""
    if broken is None:
        return None
    return _UNTOLD_SECONDS if _hides_the_status(broken) else pause_seconds(broken)


def _hides_the_status(error: grpc.aio.AioRpcError) -> bool:
    """Return whether grpc says INTERNAL only because the stream ended while we were writing.

    The status that the service gave is lost then; the next attempt meets it again, if it stands.
    """
    return error.code() is grpc.StatusCode.INTERNAL and str(error.details()).startswith(
        "Internal error from Core"
    )


async def _raise_failure(call: grpc.aio.StreamStreamCall) -> None:
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            code,
            await call.initial_metadata(),
            await call.trailing_metadata(),
            details=await call.details(),
        )
