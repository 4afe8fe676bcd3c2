"""Imports that are called in a way that could do harm, or end without a sentence."""

import os
import stat
import threading
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from services.cli.imports.rejects import RejectsFile
from services.dataset.faults import FaultyRow, RowFault
from tests.cli.harken_process import Finished, harken
from tests.cli.scripted_suite import ScriptedSuite
from tests.dataset.tables import written

EVENTS = "user,item,type,timestamp\nu1,1,view,1700000000\nu2,2,view,bad\n"


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


class Importer:
    def __init__(self, folder: Path, endpoints: Endpoints) -> None:
        self.folder = folder
        self._endpoints = endpoints

    async def run(self, kind: str, *arguments: str) -> Finished:
        return await harken(
            "import", kind, *arguments, folder=self.folder, endpoints=self._endpoints
        )


@pytest.fixture
def importer(tmp_path: Path, endpoints: Endpoints) -> Importer:
    return Importer(tmp_path, endpoints)


def rejected(number: int) -> FaultyRow:
    return FaultyRow(number, number + 1, "e.csv", RowFault("INVALID_TIME", "no time"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("e.csv", "--rejects", "e.csv"),
        ("e.csv", "--rejects", "link.csv"),
        ("folder", "--rejects", "folder/part.csv"),
        ("*.csv", "--rejects", "e.csv"),
        ("e.csv", "events.rejects.jsonl", "--delimiter", ","),
    ],
)
async def test_rejects_never_take_the_place_of_the_source(
    suite: ScriptedSuite, importer: Importer, arguments: tuple[str, ...]
) -> None:
    sources = [
        written(importer.folder / name, EVENTS)
        for name in ("e.csv", "folder/part.csv", "events.rejects.jsonl")
    ]
    (importer.folder / "link.csv").symlink_to("e.csv")
    done = await importer.run("events", *arguments)
    assert done.code == 1
    assert "is read itself: say with --rejects where else rejects go" in done.errors
    assert not suite.events
    assert [source.read_text() for source in sources] == [EVENTS] * 3


def test_rejects_may_go_where_no_file_is(tmp_path: Path) -> None:
    place = tmp_path / "pipe"
    os.mkfifo(place)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(place.read_text()))
    reader.start()
    with RejectsFile(place, tmp_path / "fallback") as rejects:
        rejects.add(rejected(1), "rejected")
        first = rejects.flush()
        rejects.add(rejected(2), "rejected")
        both = rejects.flush()
    reader.join(10)
    assert stat.S_ISFIFO(place.stat().st_mode)
    assert len(heard[0].splitlines()) == 2
    assert (first, both) == (len(heard[0]) // 2, len(heard[0]))
    # A clean import leaves it as it is, too.
    with RejectsFile(place, tmp_path / "fallback"):
        pass
    assert stat.S_ISFIFO(place.stat().st_mode)


def test_rejects_of_a_broken_import_go_on_where_they_were(tmp_path: Path) -> None:
    place = tmp_path / "r.jsonl"
    with RejectsFile(place, tmp_path / "fallback") as rejects:
        rejects.add(rejected(1), "rejected")
        kept = rejects.flush()
        rejects.add(rejected(2), "rejected")
    with RejectsFile(place, tmp_path / "fallback", kept) as rejects:
        assert rejects.flush() == kept
        rejects.add(rejected(3), "rejected")
        assert rejects.flush() == place.stat().st_size == 2 * kept
    assert '"row_number": 2' not in place.read_text()


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        ("events", ("e.csv", "--time-format", "%Q"), "cannot be read by"),
        ("events", ("e.csv", "--time-format", "unixms"), "has no directive"),
        ("events", ("e.csv", "--encoding", "base64"), "there is no encoding"),
        ("events", ("e.csv", "--rows-in", "nothing"), "there is no column 'nothing'"),
        ("events", ("e.csv", "--type", ""), "the type of all events is empty"),
        ("events", ("e.csv", "--start", "inf"), "start must be"),
        ("events", ("e.csv", "--user-column", ""), "no column for user"),
        ("items", ("e.csv", "--separator", ""), "--separator is empty"),
        (
            "events",
            ("--query", "SELECT 1 AS x", "--dsn", "postgres://u@h:port/db"),
            "the query failed",
        ),
        (
            "events",
            ("--query", "SELECT 1 AS x", "--dsn", f"postgres://u@{'a' * 70}.example/db"),
            "the query failed",
        ),
    ],
)
async def test_a_wrong_option_is_a_sentence_and_imports_nothing(
    suite: ScriptedSuite, importer: Importer, kind: str, arguments: tuple[str, ...], says: str
) -> None:
    written(importer.folder / "e.csv", EVENTS)
    done = await importer.run(kind, *arguments)
    assert done.code in (1, 2)
    assert says in done.errors
    assert "Traceback" not in done.errors
    assert not suite.events
    assert not suite.items
