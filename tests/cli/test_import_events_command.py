"""`harken import events` as people call it: order, units, counts, options, and what is said."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from tests.cli.harken_process import Finished, command, environment, harken
from tests.cli.scripted_suite import BAD_ITEM, ScriptedSuite
from tests.dataset.tables import written

HEAD = "user,item,timestamp,event\n"


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


class Importer:
    def __init__(self, folder: Path, endpoints: Endpoints) -> None:
        self.folder = folder
        self._endpoints = endpoints

    async def run(self, *arguments: str) -> Finished:
        return await harken(
            "import", "events", *arguments, folder=self.folder, endpoints=self._endpoints
        )

    async def piped(self, content: bytes, *arguments: str) -> Finished:
        process = await asyncio.create_subprocess_exec(
            *command("import", "events", "-", *arguments),
            cwd=self.folder,
            env=environment(self._endpoints),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            output, errors = await process.communicate(content)
        assert process.returncode is not None
        return Finished(process.returncode, output.decode(), errors.decode())


@pytest.fixture
def importer(tmp_path: Path, endpoints: Endpoints) -> Importer:
    return Importer(tmp_path, endpoints)


def counts_of(done: Finished) -> dict:
    found: dict = json.loads(done.output.splitlines()[-1])
    return found


async def test_newest_first_is_sorted_and_said(suite: ScriptedSuite, importer: Importer) -> None:
    rows = "".join(f"u,i{n},{1_700_000_000 - n},view\n" for n in range(50))
    written(importer.folder / "e.csv", HEAD + rows)
    done = await importer.run("e.csv")
    assert done.code == 0, done.errors
    times = [event.event_time.seconds for event in suite.events.values()]
    assert times == sorted(times)
    assert len(times) == 50
    said = " ".join(done.errors.split())
    assert "e.csv is not in order of time (row 2 is older" in said
    assert "timestamp: read as unix seconds" in said
    # The same history in order is the same history.
    written(importer.folder / "e.csv", HEAD + "".join(sorted(rows.splitlines(keepends=True))))
    again = counts_of(await importer.run("e.csv", "--json"))
    assert (again["accepted"], again["duplicates"]) == (0, 50)


async def test_every_row_is_accounted_for(suite: ScriptedSuite, importer: Importer) -> None:
    lines = ["u,a,10,view", "u,a,10,view", "u,a,soon,view", f"v,{BAD_ITEM},11,view", "short",
             "v,b,12,view"]  # fmt: skip
    written(importer.folder / "e.csv", HEAD + "\n".join(lines) + "\n")
    done = await importer.run("e.csv", "--json")
    assert done.code == 0, done.errors
    found = counts_of(done)
    assert {name: found[name] for name in ("rows", "accepted", "duplicates", "quarantined",
                                           "rejected", "created", "updated", "unchanged")} == {
        "rows": 6, "accepted": 3, "duplicates": 0, "quarantined": 1, "rejected": 2, "created": 0,
        "updated": 0, "unchanged": 0,
    }  # fmt: skip
    assert "2 rejected and 1 quarantined of 6 rows" in done.errors
    rejects = (importer.folder / "e.csv.rejects.jsonl").read_text().splitlines()
    assert {(one["line"], one["outcome"], one["column"], one["value"])
            for one in map(json.loads, rejects)} == {
        (4, "rejected", "timestamp", "soon"), (5, "quarantined", "item", BAD_ITEM),
        (6, "rejected", "", "short"),
    }  # fmt: skip
    refused = await importer.run("e.csv", "--max-rejects", "1")
    assert refused.code == 1
    assert "nothing was imported" in refused.errors


async def test_standard_input_packed_too(suite: ScriptedSuite, importer: Importer) -> None:
    content = gzip.compress((HEAD + "u,a,10,view\nu,b,never,view\n").encode())
    done = await importer.piped(content, "--json")
    assert done.code == 0, done.errors
    assert counts_of(done)["accepted"] == 1
    assert (importer.folder / "events.rejects.jsonl").exists()
    again = counts_of(await importer.piped(content, "--json"))
    assert again["duplicates"] == 1


async def test_options_say_how_a_file_is_written(suite: ScriptedSuite, importer: Importer) -> None:
    text = "u;a;1.10.2023 12:30;addtocart;NULL\nu;b;1.10.2023 12:31;seen;2,5\n"
    written(importer.folder / "e.txt", text.replace("2,5", "2.5"))
    done = await importer.run(
        "e.txt", "--delimiter", ";", "--columns", "who,what,when,how,much", "--user-column", "who",
        "--item-column", "what", "--timestamp-column", "when", "--type-column", "how",
        "--value-column", "much", "--map-type", "addtocart=cart,seen=view", "--null", "NULL",
        "--time-zone", "Europe/Berlin", "--time-format", "%d.%m.%Y %H:%M",
    )  # fmt: skip
    assert done.code == 0, done.errors
    first, second = suite.events.values()
    assert (first.item_id, first.type, first.event_time.seconds) == ("a", "cart", 1_696_156_200)
    assert not first.HasField("value")
    assert (second.type, second.value) == ("view", 2.5)


async def test_sessions_json_paths_and_lists(suite: ScriptedSuite, importer: Importer) -> None:
    rows = [
        {"sid": "s1", "events": [{"p": {"id": "a"}, "ts": 10}, {"p": {"id": "b"}, "ts": 11}]},
        {"sid": "s2", "events": [{"p": {"id": "c"}, "ts": 12}, {"p": {}, "ts": 13}]},
    ]
    written(importer.folder / "e.jsonl", "\n".join(map(json.dumps, rows)))
    done = await importer.run(
        "e.jsonl", "--rows-in", "events", "--session-column", "sid", "--item-column",
        "events.p.id", "--timestamp-column", "events.ts", "--type", "view", "--json",
    )  # fmt: skip
    assert done.code == 0, done.errors
    assert [(event.subject.session_id, event.item_id) for event in suite.events.values()] == [
        ("s1", "a"), ("s1", "b"), ("s2", "c"),
    ]  # fmt: skip
    assert (counts_of(done)["rows"], counts_of(done)["rejected"]) == (4, 1)


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("1,2,3,4\n5,6,7,8\n", ["--type", "view"], "no header"),
        ("user,item,event\n", ["--encoding", "klingon"], "no encoding 'klingon'"),
        ("user,item,event\n", ["--time-zone", "Mars"], "no time zone 'Mars'"),
        ("user,item,event\n", ["--map-type", "x"], "--map-type must be such as"),
        ("user,item,event\n", ["--delimiter", ""], "cannot be a delimiter"),
        ("user,item,event\n", ["--format", "nope"], "there is no format 'nope'"),
        ("user,item,event,item\n", [], "two columns are called 'item'"),
        ("PK\x03\x04garbage", [], "not a zip file"),
    ],
)
async def test_what_cannot_be_read_is_said_in_one_line(
    importer: Importer, text: str, arguments: list[str], says: str
) -> None:
    written(importer.folder / "e.csv", text)
    done = await importer.run("e.csv", *arguments)
    assert done.code == 1
    assert says in " ".join(done.errors.split())
    assert "Traceback" not in done.errors


async def test_rejects_that_cannot_be_written_stop_no_row(
    suite: ScriptedSuite, importer: Importer
) -> None:
    written(importer.folder / "e.csv", HEAD + "u,a,10,view\nu,b,never,view\n")
    (importer.folder / "e.csv.rejects.jsonl").mkdir()
    done = await importer.run("e.csv", "--json")
    assert done.code == 0, done.errors
    assert len(suite.events) == 1
    path = Path(counts_of(done)["rejects"])
    assert (importer.folder / path).read_text().count("\n") == 1
    assert "cannot be written" in done.errors
