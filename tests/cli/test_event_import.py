"""Imports against a real gRPC server by script: order, window, faults, breaks, resuming."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from services.cli.clients import Clients, connect
from services.cli.imports.event_import import EventImport, RowChunk
from services.cli.imports.event_rows import EventRow, event_rows
from services.cli.imports.event_stream import WINDOW, EventStream
from services.cli.imports.import_state import ImportState, ImportStateFile
from services.cli.imports.rejects import RejectsFile
from services.dataset.event_columns import EventOptions, event_columns
from services.dataset.table_file import Row
from tests.cli.scripted_suite import BAD_ITEM, ScriptedSuite, invalid_argument, serving
from tests.faults import fault_of
from tests.waiting import until

COLUMNS = event_columns(["user", "item", "event", "timestamp"], EventOptions())
ROWS = 50


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


@pytest.fixture
async def clients(suite: ScriptedSuite) -> AsyncIterator[Clients]:
    async with serving(suite) as endpoints, connect(endpoints) as connected:
        yield connected


def history(count: int = ROWS, faulty: frozenset[int] = frozenset()) -> Iterator[EventRow]:
    def cells(number: int) -> dict[str, object]:
        time = "never" if number in faulty else str(number)
        return {"user": f"u{number % 7}", "item": f"i{number}", "event": "view", "timestamp": time}

    return event_rows((Row(n, cells(n)) for n in range(1, count + 1)), COLUMNS)


class Importer:
    """Runs imports of one file, as the command does."""

    def __init__(self, clients: Clients, folder: Path, create_items: bool = False) -> None:
        self.state = ImportStateFile(folder, "test")
        self.file = folder / "events.csv"
        self.job = EventImport(
            clients,
            "default",
            lambda keep: RejectsFile(self.file, keep),
            self.state,
            create_items,
            chunk_events=5,
        )

    def rejects(self) -> list[dict]:
        path = self.file.with_name("events.csv.rejects.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_all_rows_arrive_once_in_order(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    seen: list[int] = []
    importer = Importer(clients, tmp_path)
    summary = await importer.job.run(history, seen.append)
    assert [event.item_id for event in suite.events.values()] == [
        f"i{n}" for n in range(1, ROWS + 1)
    ]
    assert (summary.accepted, summary.duplicates, summary.rejected) == (ROWS, 0, 0)
    assert seen == list(range(5, ROWS + 1, 5))
    assert summary.position
    assert not importer.state.path.exists()
    assert not importer.rejects()


async def test_a_repeated_import_finds_duplicates(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    """Truth 2: every event takes effect once, whatever is repeated."""
    importer = Importer(clients, tmp_path)
    await importer.job.run(history)
    again = await importer.job.run(history)
    assert (again.accepted, again.duplicates) == (0, ROWS)
    assert len(suite.events) == ROWS


async def test_faults_of_rows_go_to_a_file_and_harm_no_other_row(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    def rows() -> Iterator[EventRow]:
        for row in history(faulty=frozenset({3, *range(11, 16)})):
            if row.event is not None and row.row.number in (1, 20):
                row.event.item_id = BAD_ITEM
            yield row

    importer = Importer(clients, tmp_path)
    summary = await importer.job.run(rows)
    assert (summary.accepted, summary.rejected) == (ROWS - 8, 8)
    rejects = importer.rejects()
    assert [one["row_number"] for one in rejects] == [1, 3, *range(11, 16), 20]
    assert {one["reason"] for one in rejects} == {"UNKNOWN_ITEM", "INVALID_TIME"}
    assert rejects[0]["detail"] == "quarantined: the item is not in the catalogue"
    assert rejects[1]["row"]["timestamp"] == "never"
    # Rows 11 to 15 are a whole chunk: nothing of it is sent.
    assert sum(suite.chunks) == ROWS - 6


@pytest.mark.parametrize("script", [[0], [1, 0, 2], [3, 3, 3], [9, 1]])
async def test_broken_streams_lose_and_double_nothing(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path, script: list[int]
) -> None:
    """Truth 1 and 2 at the edge: what is unanswered is sent again, the rest is not."""
    suite.break_after.extend(script)
    importer = Importer(clients, tmp_path)
    summary = await importer.job.run(history)
    assert len(suite.events) == ROWS
    assert summary.accepted + summary.duplicates == ROWS
    assert not suite.break_after


async def test_a_break_while_the_next_chunk_is_made_loses_nothing(
    suite: ScriptedSuite, clients: Clients
) -> None:
    suite.break_after.extend([1])
    broken = asyncio.Event()
    rows = list(history(20))

    async def chunks() -> AsyncIterator[RowChunk]:
        yield RowChunk(rows[:5])
        # The stream breaks while this chunk is being made.
        await broken.wait()
        yield RowChunk(rows[5:10])
        yield RowChunk(rows[10:])

    answered: list[int] = []
    task = asyncio.create_task(
        EventStream[RowChunk](clients.feedback, "default").send(
            chunks(), lambda chunk, _: answered.append(chunk.last_row)
        )
    )
    # The second stream has begun: the first broke while we wait for a chunk.
    await until(lambda: suite.streams == 2, "the second stream")
    broken.set()
    await task
    assert answered == [5, 10, 20]
    assert len(suite.events) == 20


async def test_memory_is_bounded_by_a_window_of_chunks(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    suite.answering.clear()
    made = 0

    def rows() -> Iterator[EventRow]:
        nonlocal made
        for row in history(500):
            made += 1
            yield row

    task = asyncio.create_task(Importer(clients, tmp_path).job.run(rows))
    await until(lambda: suite.most_unanswered >= WINDOW, "a full window")
    assert made <= (WINDOW + 1) * 5
    suite.answering.set()
    assert (await task).accepted == 500
    assert suite.most_unanswered <= WINDOW


class _InterruptedError(Exception):
    pass


async def _interrupted(importer: Importer, at_row: int) -> None:
    def stop(row: int) -> None:
        if row >= at_row:
            raise _InterruptedError

    with pytest.raises(_InterruptedError):
        await importer.job.run(lambda: history(faulty=frozenset({2, 33})), stop)


async def test_an_interrupted_import_goes_on_after_the_last_acknowledged_row(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    importer = Importer(clients, tmp_path)
    await _interrupted(importer, 20)
    assert importer.state.read().rows == 20

    summary = await importer.job.run(lambda: history(faulty=frozenset({2, 33})))

    assert summary.resumed_after_row == 20
    assert len(suite.events) == ROWS - 2
    assert summary.accepted + summary.duplicates == ROWS - 2
    assert summary.rejected == 2
    assert [one["row_number"] for one in importer.rejects()] == [2, 33]


async def test_rejects_written_after_the_last_state_are_not_doubled(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    importer = Importer(clients, tmp_path)
    await _interrupted(importer, 20)
    with importer.file.with_name("events.csv.rejects.jsonl").open("ab") as file:
        file.write(b'{"row_number": 33}\n{"torn')
    await importer.job.run(lambda: history(faulty=frozenset({2, 33})))
    assert [one["row_number"] for one in importer.rejects()] == [2, 33]


async def test_the_state_of_another_suite_is_not_believed(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    importer = Importer(clients, tmp_path)
    importer.state.write(ImportState(rows=30, accepted=30))
    summary = await importer.job.run(history)
    assert summary.resumed_after_row == 0
    assert len(suite.events) == ROWS


async def test_unknown_items_are_created_and_known_ones_left_alone(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    importer = Importer(clients, tmp_path, create_items=True)
    summary = await importer.job.run(lambda: history(10))
    assert summary.items_created == 10
    suite.items["i3"].title = "known"
    summary = await Importer(clients, tmp_path, create_items=True).job.run(lambda: history(12))
    assert summary.items_created == 2
    assert suite.items["i3"].title == "known"


async def test_a_wrong_call_is_not_repeated(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    suite.refuse_with = invalid_argument("tenant", "must be 1 to 64 of [a-z0-9_-]")
    caught = await fault_of(Importer(clients, tmp_path).job.run(history))
    assert caught.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_patience_with_a_service_that_is_away_ends() -> None:
    async with serving(ScriptedSuite()) as gone:
        pass
    rows = list(history(5))

    async def chunks() -> AsyncIterator[RowChunk]:
        yield RowChunk(rows)

    async with connect(gone) as clients:
        stream = EventStream[RowChunk](clients.feedback, "default", patience_seconds=0.3)
        caught = await fault_of(stream.send(chunks(), lambda *_: None))
    assert caught.code() is grpc.StatusCode.UNAVAILABLE
