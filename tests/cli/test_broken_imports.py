"""Imports that are called in a way that could do harm, or end without a sentence."""

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from services.cli.endpoints import Endpoints
from services.cli.imports.rejects import RejectsFile
from services.dataset.faults import FaultyRow, RowFault
from tests.cli.harken_process import Finished, harken
from tests.cli.scripted_suite import ScriptedSuite, serving
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


class CountingSuite(ScriptedSuite):
    """Counts requests that write items."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    async def UpsertItems(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests += 1
        return await super().UpsertItems(request, context)


async def test_rows_with_other_fields_each_go_by_the_hundred(tmp_path: Path) -> None:
    suite = CountingSuite()
    rows = [
        {"item": f"i{n}", "title": f"T{n}"} if n % 2 else {"item": f"i{n}", "price": n}
        for n in range(400)
    ]
    rows.append({"item": "i1", "price": 7})
    written(tmp_path / "i.jsonl", "\n".join(map(json.dumps, rows)))
    async with serving(suite) as endpoints:
        done = await Importer(tmp_path, endpoints).run("items", "i.jsonl", "--json")
    assert done.code == 0, done.errors
    counts = json.loads(done.output.splitlines()[-1])
    assert (counts["rows"], counts["created"], counts["updated"]) == (401, 400, 1)
    assert (suite.items["i1"].title, suite.items["i1"].numbers["price"]) == ("T1", 7)
    assert (suite.items["i2"].title, suite.items["i2"].numbers["price"]) == ("", 2)
    assert suite.requests == 3


async def test_rejects_of_the_suite_say_the_value(importer: Importer) -> None:
    title = "t" * 600
    written(importer.folder / "i.csv", f"item,name\n1,{title}\n2,B\n")
    assert (await importer.run("items", "i.csv")).code == 0
    found = json.loads((importer.folder / "i.csv.rejects.jsonl").read_text())
    assert (found["line"], found["column"], found["reason"]) == (2, "name", "REJECTED")
    assert found["value"].startswith("ttt")
    written(importer.folder / "u.csv", 'user,city\n1,"a\0b"\n2,c\n')
    assert (await importer.run("users", "u.csv")).code == 0
    found = json.loads((importer.folder / "u.csv.rejects.jsonl").read_text())
    assert (found["column"], found["reason"], found["value"]) == ("city", "INVALID_TEXT", "a\0b")


async def test_what_a_newcomer_would_miss_is_said(importer: Importer) -> None:
    written(importer.folder / "i.csv", "id;Bezeichnung;price\n1;Zelt;5\n")
    done = await importer.run("items", "i.csv")
    assert "columns that are not used: bezeichnung (" in done.errors
    written(importer.folder / "e.csv", "user;item;Datum;type\n1;2;01.02.2023;view\n")
    done = await importer.run("events", "e.csv")
    assert done.code == 0
    assert "all events get the time of this import" in done.errors


async def test_a_decimal_comma(importer: Importer) -> None:
    written(importer.folder / "i.csv", "id;Preis\n1;89,90\n2;1.089,90\n")
    done = await importer.run("items", "i.csv", "--number", "preis", "--decimal", ",")
    assert done.code == 0
    assert not (importer.folder / "i.csv.rejects.jsonl").exists()
    written(importer.folder / "e.csv", "user;item;type;timestamp;Betrag\na;1;view;1700000000;4,5\n")
    done = await importer.run("events", "e.csv", "--value-column", "betrag")
    found = json.loads((importer.folder / "e.csv.rejects.jsonl").read_text())
    assert "--decimal , reads such" in found["detail"]
    done = await importer.run("events", "e.csv", "--value-column", "betrag", "--decimal", ",")
    assert not (importer.folder / "e.csv.rejects.jsonl").exists()
