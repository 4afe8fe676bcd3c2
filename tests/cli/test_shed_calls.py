"""Calls that are shed are made again, not before the server said, and nothing is lost."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from harken.feedback.v1 import catalog_service_pb2, item_pb2
from services.cli.clients import Clients, connect, patiently
from services.cli.imports.event_chunk import EventChunk, Window, chunks_of
from services.cli.imports.event_stream import EventStream
from services.cli.imports.item_target import item_target
from services.common.errors import OverloadedError
from services.common.retry_info import MOST_SECONDS, pause_seconds
from services.common.status import status_of
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.fields.item_fields import ItemOptions, ItemReader, ItemRow, item_fields
from services.dataset.history.event_batch import EventReader
from services.dataset.table.table import Source, open_table
from tests.cli.scripted_suite import ScriptedSuite, serving
from tests.faults import fault_of

TOLD_SECONDS = 0.4


class SheddingSuite(ScriptedSuite):
    """Sheds so many calls, and notes when each call came."""

    def __init__(self, shed: int) -> None:
        super().__init__()
        self.shed = shed
        self.told_seconds = TOLD_SECONDS
        self.times: list[float] = []

    async def _maybe_refuse(self, context: grpc.aio.ServicerContext) -> None:
        self.times.append(asyncio.get_running_loop().time())
        if len(self.times) <= self.shed:
            self.refuse_with = status_of(OverloadedError("busy", self.told_seconds))
        else:
            self.refuse_with = None
        await super()._maybe_refuse(context)

    def pauses(self) -> list[float]:
        return [later - earlier for earlier, later in itertools.pairwise(self.times)]


@pytest.fixture
def suite() -> SheddingSuite:
    return SheddingSuite(2)


@pytest.fixture
async def clients(suite: SheddingSuite) -> AsyncIterator[Clients]:
    async with serving(suite) as endpoints, connect(endpoints) as connected:
        yield connected


async def test_an_import_of_events_waits_as_told(
    suite: SheddingSuite, clients: Clients, tmp_path: Path
) -> None:
    file = tmp_path / "events.csv"
    lines = [f"u,i{n},view,{1_500_000_000 + n}" for n in range(1, 21)]
    file.write_text("\n".join(["user,item,event,timestamp", *lines, ""]))

    async def chunks() -> AsyncIterator[EventChunk]:
        with open_table(Source((str(file),))) as table:
            reader = EventReader(table, event_fields(table, EventOptions()))
            for chunk in chunks_of(reader.batches(), False, Window(), 5):
                yield chunk

    answered: list[int] = []
    stream = EventStream[EventChunk](clients.feedback, "default")
    await stream.send(chunks(), lambda chunk, _: answered.append(chunk.rows))
    assert answered == [5, 10, 15, 20]
    assert len(suite.events) == 20
    assert len(suite.times) == 3
    assert min(suite.pauses()) >= TOLD_SECONDS * 0.99


async def test_an_import_of_items_waits_as_told(
    suite: SheddingSuite, clients: Clients, tmp_path: Path
) -> None:
    file = tmp_path / "items.csv"
    file.write_text("item_id,title\na,A\n")
    with open_table(Source((str(file),))) as table:
        fields = item_fields(table, ItemOptions())
        rows = [row for row in ItemReader(table, fields).rows() if isinstance(row, ItemRow)]
        assert await item_target(clients.catalog, "default", fields).send(rows) == ["created"]
    assert len(suite.times) == 3
    assert min(suite.pauses()) >= TOLD_SECONDS * 0.99


async def test_patience_ends(suite: SheddingSuite, clients: Clients) -> None:
    suite.shed = 1000
    request = catalog_service_pb2.UpsertItemsRequest(items=[item_pb2.Item(item_id="a")])
    error = await fault_of(patiently(lambda: clients.catalog.UpsertItems(request), 1.0))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 1 < len(suite.times) <= 3


async def test_what_a_server_may_ask_for_is_bounded(suite: SheddingSuite, clients: Clients) -> None:
    suite.told_seconds = 1e6
    request = catalog_service_pb2.UpsertItemsRequest()
    error = await fault_of(clients.catalog.UpsertItems(request))
    pause = pause_seconds(error)
    assert pause is not None
    assert MOST_SECONDS <= pause <= 1.25 * MOST_SECONDS
