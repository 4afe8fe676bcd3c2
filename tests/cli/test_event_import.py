"""Imports against a real gRPC server by script: order, window, faults, breaks, resuming."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import grpc
import numpy as np
import pytest

from harken.feedback.v1 import item_pb2
from services.cli.clients import Clients, connect
from services.cli.failures import CommandError
from services.cli.imports.counts import Counts, RejectLimit
from services.cli.imports.event_chunk import EventChunk, Window, chunks_of
from services.cli.imports.event_import import EventImport, History, ImportSummary
from services.cli.imports.event_stream import WINDOW, EventStream
from services.cli.imports.import_state import ImportState, ImportStateFile
from services.cli.imports.rejects import RejectsFile
from services.dataset.faults import FaultyRow, RowFault
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.history.event_batch import EventBatch
from services.dataset.table.table import Table
from tests.cli.scripted_suite import BAD_ITEM, ScriptedSuite, invalid_argument, serving
from tests.dataset.tables import table_of, written
from tests.faults import fault_of
from tests.waiting import until

ROWS = 50
ALL = tuple(range(1, ROWS + 1))


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


@pytest.fixture
async def clients(suite: ScriptedSuite) -> AsyncIterator[Clients]:
    async with serving(suite) as endpoints, connect(endpoints) as connected:
        yield connected


def batch_of(numbers: Sequence[int], faulty: frozenset[int], bad: frozenset[int]) -> EventBatch:
    """Return the rows with these numbers as a batch; on line number + 1, as behind a header."""
    good = [n for n in numbers if n not in faulty]
    fault = RowFault("INVALID_TIME", "'never' is no time", "timestamp", "never")
    return EventBatch(
        files=["events.csv"] * len(good),
        numbers=good,
        lines=[n + 1 for n in good],
        users=[f"u{n % 7}" for n in good],
        sessions=[""] * len(good),
        items=[BAD_ITEM if n in bad else f"i{n}" for n in good],
        types=["view"] * len(good),
        values=np.full(len(good), np.nan),
        times_us=np.array(good, np.int64) * 10**6,
        faults=[
            FaultyRow(n, n + 1, "events.csv", fault, {"timestamp": "never"})
            for n in numbers if n in faulty
        ],
    )  # fmt: skip


class Rows:
    """A history that can be read again and again, in batches of `size` rows."""

    def __init__(
        self, count: int = ROWS, faulty: Sequence[int] = (), bad: Sequence[int] = (), size: int = 5
    ) -> None:
        self.made = 0
        self._count = count
        self._faulty = frozenset(faulty)
        self._bad = frozenset(bad)
        self._size = size

    def batches(self) -> Iterator[EventBatch]:
        for begin in range(1, self._count + 1, self._size):
            numbers = range(begin, min(begin + self._size, self._count + 1))
            self.made += len(numbers)
            yield batch_of(numbers, self._faulty, self._bad)

    def history(self, table: Table, window: Window | None = None) -> History:
        fields = event_fields(table, EventOptions())
        return History(self.batches, fields, window or Window(), self._count)

    def chunks(self) -> list[EventChunk]:
        return list(chunks_of(self.batches(), False, Window(), 5))


class Importer:
    """Runs imports of one file, as the command does."""

    def __init__(
        self,
        clients: Clients,
        folder: Path,
        create_items: bool = False,
        limit: RejectLimit | None = None,
    ) -> None:
        self.state = ImportStateFile(folder, "test")
        self.file = folder / "events.csv.rejects.jsonl"
        self.fallback = folder / "fallback" / "events.csv.rejects.jsonl"
        self._source = written(folder / "events.csv", "user,item,event,timestamp,event_id\n")
        self._job = EventImport(
            clients,
            "default",
            lambda keep: RejectsFile(self.file, self.fallback, keep),
            self.state,
            create_items,
            chunk_events=5,
            limit=limit,
        )

    async def run(
        self, rows: Rows, window: Window | None = None, seen: list[int] | None = None
    ) -> ImportSummary:
        heard = [] if seen is None else seen
        with table_of(self._source) as table:
            return await self._job.run(rows.history(table, window), heard.append)

    async def interrupted(self, rows: Rows, at_row: int) -> None:
        def stop(row: int) -> None:
            if row >= at_row:
                raise _InterruptedError

        with table_of(self._source) as table, pytest.raises(_InterruptedError):
            await self._job.run(rows.history(table), stop)

    def rejects(self) -> list[dict]:
        path = self.file if self.file.is_file() else self.fallback
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class _InterruptedError(Exception):
    pass


async def test_all_rows_arrive_once_in_order(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    seen: list[int] = []
    importer = Importer(clients, tmp_path)
    summary = await importer.run(Rows(), seen=seen)
    assert [event.item_id for event in suite.events.values()] == [f"i{n}" for n in ALL]
    assert [event.event_time.seconds for event in suite.events.values()] == list(ALL)
    assert summary.counts == Counts(rows=ROWS, accepted=ROWS)
    assert seen == list(range(5, ROWS + 1, 5))
    assert summary.position
    assert not importer.state.path.exists()
    assert not importer.rejects()


async def test_a_repeated_import_finds_duplicates(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    """Truth 2: every event takes effect once, whatever is repeated."""
    importer = Importer(clients, tmp_path)
    await importer.run(Rows())
    again = await importer.run(Rows(size=17))
    assert again.counts == Counts(rows=ROWS, duplicates=ROWS)
    assert len(suite.events) == ROWS


async def test_a_window_takes_what_it_says(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    """Faulty rows are no events, and stay accounted for."""
    window = Window(7, 31)
    summary = await Importer(clients, tmp_path).run(Rows(faulty=[2, 20]), window)
    events = [n for n in ALL if n not in (2, 20)][7:31]
    assert [event.item_id for event in suite.events.values()] == [f"i{n}" for n in events]
    assert summary.counts == Counts(rows=26, accepted=24, rejected=2)


async def test_faults_of_rows_go_to_a_file_and_harm_no_other_row(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    importer = Importer(clients, tmp_path)
    summary = await importer.run(Rows(faulty=[3, *range(11, 16)], bad=[1, 20]))
    assert summary.counts == Counts(rows=ROWS, accepted=ROWS - 8, quarantined=2, rejected=6)
    rejects = importer.rejects()
    assert [one["row_number"] for one in rejects] == [1, 3, *range(11, 16), 20]
    assert [one["line"] for one in rejects] == [2, 4, *range(12, 17), 21]
    assert {one["file"] for one in rejects} == {"events.csv"}
    held, faulty = rejects[0], rejects[1]
    assert (held["outcome"], held["reason"]) == ("quarantined", "UNKNOWN_ITEM")
    assert (held["column"], held["value"]) == ("item", BAD_ITEM)
    assert held["detail"] == "the item is not in the catalogue"
    assert held["row"]["user"] == "u1"
    assert (faulty["outcome"], faulty["reason"]) == ("rejected", "INVALID_TIME")
    assert (faulty["column"], faulty["value"]) == ("timestamp", "never")
    assert faulty["row"] == {"timestamp": "never"}
    # Rows 11 to 15 are a whole chunk: nothing of it is sent.
    assert sum(suite.chunks) == ROWS - 6


async def test_rejects_go_elsewhere_when_their_folder_cannot_be_written(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    importer = Importer(clients, tmp_path)
    # Nobody can write to a folder, root included.
    importer.file.mkdir()
    summary = await importer.run(Rows(faulty=[3]))
    assert summary.counts == Counts(rows=ROWS, accepted=ROWS - 1, rejected=1)
    assert [one["row_number"] for one in importer.rejects()] == [3]
    assert importer.fallback.exists()


@pytest.mark.parametrize("script", [[0], [1, 0, 2], [3, 3, 3], [9, 1]])
async def test_broken_streams_lose_and_double_nothing(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path, script: list[int]
) -> None:
    """Truth 1 and 2 at the edge: what is unanswered is sent again, the rest is not."""
    suite.break_after.extend(script)
    counts = (await Importer(clients, tmp_path).run(Rows())).counts
    assert len(suite.events) == ROWS
    assert counts.accepted + counts.duplicates == counts.rows == ROWS
    assert not suite.break_after


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


async def test_an_interrupted_import_goes_on_after_the_last_acknowledged_row(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    rows = Rows(faulty=[2, 33])
    importer = Importer(clients, tmp_path)
    await importer.interrupted(rows, 20)
    assert importer.state.read().rows == 20

    summary = await importer.run(rows)

    assert summary.resumed_after_row == 20
    assert len(suite.events) == ROWS - 2
    assert summary.counts.accepted + summary.counts.duplicates == ROWS - 2
    assert (summary.counts.rows, summary.counts.rejected) == (ROWS, 2)
    assert [one["row_number"] for one in importer.rejects()] == [2, 33]


async def test_rejects_written_after_the_last_state_are_not_doubled(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    rows = Rows(faulty=[2, 33])
    importer = Importer(clients, tmp_path)
    await importer.interrupted(rows, 20)
    with importer.file.open("ab") as file:
        file.write(b'{"row_number": 33}\n{"torn')
    await importer.run(rows)
    assert [one["row_number"] for one in importer.rejects()] == [2, 33]


async def test_the_state_of_another_suite_is_not_believed(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    importer = Importer(clients, tmp_path)
    importer.state.write(ImportState(Counts(rows=30, accepted=30)))
    summary = await importer.run(Rows())
    assert summary.resumed_after_row == 0
    assert len(suite.events) == ROWS
    assert summary.counts.rows == ROWS


async def test_too_many_rejects_end_an_import(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    """Quarantined ones count, which are known only once they are sent."""
    rows = Rows(faulty=[1], bad=[2, 3])
    with pytest.raises(CommandError, match=r"3 of 50 rows cannot be taken.*allows 2"):
        await Importer(clients, tmp_path, limit=RejectLimit(2)).run(rows)
    assert len(suite.events) < ROWS
    summary = await Importer(clients, tmp_path, limit=RejectLimit(share=0.06)).run(rows)
    assert summary.counts.not_taken == 3


async def test_items_that_are_missing_are_created_once(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    suite.items.update({f"i{n}": item_pb2.Item(item_id=f"i{n}") for n in range(1, 11)})
    suite.items["i3"].title = "known"
    summary = await Importer(clients, tmp_path, create_items=True).run(Rows(12))
    assert summary.counts.created == 2
    assert suite.items["i3"].title == "known"


async def test_a_wrong_call_is_not_repeated(
    suite: ScriptedSuite, clients: Clients, tmp_path: Path
) -> None:
    suite.refuse_with = invalid_argument("tenant", "must be 1 to 64 of [a-z0-9_-]")
    caught = await fault_of(Importer(clients, tmp_path).run(Rows()))
    assert caught.code() is grpc.StatusCode.INVALID_ARGUMENT


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
