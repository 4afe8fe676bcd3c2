"""A sample is what the import takes, whole, and the commands it prints really work."""

import shlex
import time
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from services.dataset.fields.item_fields import ItemOptions, ItemReader, ItemRow, item_fields
from services.dataset.history.event_ids import EventIds
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import ScriptedSuite
from tests.dataset.tables import batches_of, rows_of, table_of

DAY = 86_400
SMALL = ("--items", "40", "--users", "6", "--days", "10")


@pytest.fixture
def suite() -> ScriptedSuite:
    suite = ScriptedSuite()
    suite.order = [f"item-{n}" for n in range(40)]
    return suite


async def test_the_import_parsers_take_every_row_and_miss_no_field(tmp_path: Path) -> None:
    done = await harken("sample", "data", *SMALL, folder=tmp_path)
    assert done.code == 0, done.errors

    with table_of(tmp_path / "data" / "items.csv") as table:
        rows = list(ItemReader(table, item_fields(table, ItemOptions())).rows())
    items = {row.content.item_id: row.content for row in rows if isinstance(row, ItemRow)}
    assert len(items) == len(rows) == 40
    for item in items.values():
        assert item.title
        assert item.categories
        assert 1950 <= item.numbers["year"] < 2025

    (events,) = batches_of(tmp_path / "data" / "events.csv.gz")
    assert len(events)
    assert not events.faults
    assert set(events.users) == {f"user-{n}" for n in range(6)}
    assert len(set(EventIds().of(events))) == len(events)
    assert set(events.items) <= set(items)
    assert set(events.types) == {"rating"}
    assert all(1 <= value <= 5 for value in events.values)
    times = (events.times_us // 10**6).tolist()
    assert times == sorted(times)
    assert time.time() - 12 * DAY < times[0] <= times[-1] < time.time()


async def test_the_commands_it_prints_work_as_they_are(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    done = await harken("sample", "my data", *SMALL, folder=tmp_path)
    assert done.code == 0, done.errors
    lines = [line.strip() for line in done.output.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("harken ")]
    assert [words[1] for words in commands] == ["import", "import", "recommend"]
    for words in commands:
        tried = await harken(*words[1:], folder=tmp_path, endpoints=endpoints)
        assert tried.code == 0, tried.errors
        assert "rejected of" not in tried.output
    assert len(suite.items) == 40
    assert len(suite.events) == len(rows_of(tmp_path / "my data" / "events.csv.gz"))
    # The user it names is known: otherwise the slate says that nothing is.
    assert any(event.subject.user_id == "user-0" for event in suite.events.values())


async def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("mine")
    done = await harken("sample", ".", *SMALL, folder=tmp_path)
    assert done.code == 1
    assert done.errors == "error: items.csv is there already: give another folder\n"
    assert (tmp_path / "items.csv").read_text() == "mine"
    assert not (tmp_path / "events.csv.gz").exists()


async def test_one_seed_is_one_sample_and_few_items_are_enough(tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        done = await harken(
            "sample", name, "--items", "1", "--users", "1", "--days", "1", "--seed", seed,
            folder=tmp_path,
        )  # fmt: skip
        assert done.code == 0, done.errors
    a, b, c = ((tmp_path / name / "items.csv").read_bytes() for name in "abc")
    assert a == b != c
