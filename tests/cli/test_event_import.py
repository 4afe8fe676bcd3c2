"""Imports against a real gRPC server by script: order, faults, breaks, resuming."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from harken.feedback.v1 import item_pb2
from services.cli.clients import Clients, connect
from services.cli.failures import CommandError
from services.cli.imports.counts import Counts, RejectLimit
from services.cli.imports.event_chunk import Window
from services.cli.imports.import_state import ImportState
from tests.cli.made_history import ALL, ROWS, Importer, Rows
from tests.cli.scripted_suite import BAD_ITEM, ScriptedSuite, invalid_argument, serving
from tests.faults import fault_of


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


@pytest.fixture
async def clients(suite: ScriptedSuite) -> AsyncIterator[Clients]:
    async with serving(suite) as endpoints, connect(endpoints) as connected:
        yield connected


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
