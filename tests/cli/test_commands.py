"""Commands as processes, against services by script: what they do, print and exit with."""

import json
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import BAD_ITEM, ScriptedSuite, invalid_argument, serving


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


async def test_import_of_items_events_and_users(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_text(
        "item,title,year,genres\n1,Toy Story,1995,Animation|Comedy\n2,"
        + "x" * 513
        + ",1996,Drama\n"
        "1,Toy Story again,1995,Comedy\n"
    )
    (tmp_path / "users.csv").write_text("user,age,zip\nann,24,02139\n")
    (tmp_path / "events.csv").write_text(
        f"user,item,timestamp,event\nann,1,10,view\nbob,{BAD_ITEM},11,view\nann,1,never,view\n"
    )

    items = await harken("import", "items", "items.csv", folder=tmp_path, endpoints=endpoints)
    assert items.code == 0, items.errors
    assert suite.items["1"].title == "Toy Story again"
    assert list(suite.items["1"].categories) == ["Comedy"]
    assert dict(suite.items["1"].numbers) == {"year": 1995.0}
    rejects = (tmp_path / "items.csv.rejects.jsonl").read_text()
    assert json.loads(rejects)["detail"] == "is longer than 512 bytes"
    assert json.loads(rejects)["column"] == "title"

    users = await harken("import", "users", "users.csv", folder=tmp_path, endpoints=endpoints)
    assert users.code == 0, users.errors
    assert dict(suite.profiles["ann"].attributes) == {"age": 24.0, "zip": "02139"}

    events = await harken(
        "import", "events", "events.csv", "--wait", folder=tmp_path, endpoints=endpoints
    )
    assert events.code == 0, events.errors
    assert "1 rejected and 1 quarantined of 3 rows; see events.csv.rejects.jsonl" in events.output
    assert [event.subject.user_id for event in suite.events.values()] == ["ann"]
    lines = (tmp_path / "events.csv.rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["UNKNOWN_ITEM", "INVALID_TIME"]


async def test_start_and_limit_select_rows_without_changing_ids(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    rows = "".join(f"u,i{n},{n}\n" for n in range(10))
    (tmp_path / "events.csv").write_text("user,item,timestamp\n" + rows)
    for selection in (["--start", "0.3", "--limit", "4"], []):
        done = await harken(
            "import", "events", "events.csv", "--type", "view", *selection,
            folder=tmp_path, endpoints=endpoints,
        )  # fmt: skip
        assert done.code == 0, done.errors
        if selection:
            assert [e.item_id for e in suite.events.values()] == ["i3", "i4", "i5", "i6"]
    assert len(suite.events) == 10


async def test_recommend_and_status(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    suite.order = ["id-a", "b"]
    slate = await harken("recommend", "ann", folder=tmp_path, endpoints=endpoints)
    assert slate.code == 1
    # The catalogue is empty, and the fault is one line.
    assert slate.errors == "error: NOT_FOUND: no such tenant\n"
    (tmp_path / "items.csv").write_text("item,title\nid-a,First\n")
    await harken("import", "items", "items.csv", folder=tmp_path, endpoints=endpoints)
    slate = await harken("recommend", "ann", folder=tmp_path, endpoints=endpoints)
    assert slate.code == 0, slate.errors
    assert "First" in slate.output
    assert "id-a" in slate.output
    assert "no item has category" not in slate.output
    assert "popularity #1" in slate.output
    assert "popular now" in slate.output
    assert "slate scripted (preview: not logged)" in " ".join(slate.output.split())
    slate = await harken(
        "recommend", "ann", "--category", "typo", folder=tmp_path, endpoints=endpoints
    )
    assert slate.code == 0
    assert "no item has category: typo" in slate.output
    state = await harken("status", folder=tmp_path, endpoints=endpoints)
    # The script serves no health, and a suite without health is not healthy.
    assert state.code == 1
    assert "UNIMPLEMENTED" in state.output


async def test_seeds_out_of_range_are_wrong_usage(tmp_path: Path, endpoints: Endpoints) -> None:
    (tmp_path / "items.csv").write_text("item,title\nid-a,First\n")
    await harken("import", "items", "items.csv", folder=tmp_path, endpoints=endpoints)
    for seed, code in ((2**64 - 1, 0), (2**64, 2), (-1, 2)):
        done = await harken(
            "recommend", "ann", "--seed", str(seed), folder=tmp_path, endpoints=endpoints
        )
        assert done.code == code, done.errors
        assert "Traceback" not in done.errors
    for command in ("evaluate", "tune"):
        done = await harken(command, "x.csv", "--seed", str(2**31), folder=tmp_path)
        assert (done.code, "--seed" in done.errors) == (2, True)


async def test_faults_are_one_line_with_the_field_and_exit_code_1(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    suite.refuse_with = invalid_argument("tenant", "must be 1 to 64 of [a-z0-9_-]")
    done = await harken("recommend", "ann", folder=tmp_path, endpoints=endpoints)
    assert done.code == 1
    assert done.errors == (
        "error: INVALID_ARGUMENT: the request is wrong (tenant: must be 1 to 64 of [a-z0-9_-])\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "no suite runs from .harken: start one with `harken up`"),
        (["import", "events", "missing.csv"], "there is no file missing.csv"),
        (["import", "events", "bad.csv"], "no column for user; the file has: a, b"),
        (["replay", "bad.csv", "--type", "view"], "no column for user"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, endpoints: Endpoints, arguments: list[str], message: str
) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    found = None if arguments == ["status"] else endpoints
    done = await harken(*arguments, folder=tmp_path, endpoints=found)
    assert done.code == 1
    assert message in done.errors.replace("\n", " ")
    assert "Traceback" not in done.errors


async def test_a_suite_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    async with serving(ScriptedSuite()) as gone:
        pass
    done = await harken("recommend", "ann", folder=tmp_path, endpoints=gone)
    assert done.code == 1
    assert done.errors.startswith("error: UNAVAILABLE: ")
    assert len(done.errors.splitlines()) == 1
