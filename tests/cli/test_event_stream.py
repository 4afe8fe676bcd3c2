"""Chunks over one stream: a window of them, breaks between them, and an end of patience."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.cli.clients import Clients, connect
from services.cli.imports.event_chunk import EventChunk
from services.cli.imports.event_stream import WINDOW, EventStream
from tests.cli.made_history import Importer, Rows
from tests.cli.scripted_suite import ScriptedSuite, serving
from tests.faults import fault_of
from tests.waiting import until


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


@pytest.fixture
async def clients(suite: ScriptedSuite) -> AsyncIterator[Clients]:
    async with serving(suite) as endpoints, connect(endpoints) as connected:
        yield connected


async def test_a_break_while_the_next_chunk_is_made_loses_nothing(
    suite: ScriptedSuite, clients: Clients
) -> None:
    suite.break_after.extend([1])
    broken = asyncio.Event()
    first, second, third, fourth = Rows(20).chunks()

    async def chunks() -> AsyncIterator[EventChunk]:
        yield first
        # The stream breaks while this chunk is being made.
        await broken.wait()
        yield second
        yield third
        yield fourth

    answered: list[int] = []
    task = asyncio.create_task(
        EventStream[EventChunk](clients.feedback, "default").send(
            chunks(), lambda chunk, _: answered.append(chunk.rows)
        )
    )
    # The second stream has begun: the first broke while we wait for a chunk.
    await until(lambda: suite.streams == 2, "the second stream")
    broken.set()
    await task
    assert answered == [5, 10, 15, 20]
    assert len(suite.events) == 20


async def test_memory_is_bounded_by_a_window_of_chunks(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    suite.answering.clear()
    rows = Rows(500)
    task = asyncio.create_task(Importer(clients, tmp_path).run(rows))
    await until(lambda: suite.most_unanswered >= WINDOW, "a full window")
    assert rows.made <= (WINDOW + 1) * 5
    suite.answering.set()
    assert (await task).counts.accepted == 500
    assert suite.most_unanswered <= WINDOW


async def test_patience_with_a_service_that_is_away_ends() -> None:
    async with serving(ScriptedSuite()) as gone:
        pass
    (chunk,) = Rows(5).chunks()

    async def chunks() -> AsyncIterator[EventChunk]:
        yield chunk

    async with connect(gone) as clients:
        stream = EventStream[EventChunk](clients.feedback, "default", patience_seconds=0.3)
        caught = await fault_of(stream.send(chunks(), lambda *_: None))
    assert caught.code() is grpc.StatusCode.UNAVAILABLE
