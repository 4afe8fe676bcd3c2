"""`harken surface` on a real suite: what it prints, changes and exits with."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from harken.feedback.v1 import surface_pb2
from harken.feedback.v1 import surface_service_pb2 as pb
from services.cli.clients import Clients, connect
from services.cli.suite import Suite
from tests.cli.harken_process import Finished, harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import caller_of, catalogue

CONFIG: dict[str, Any] = {
    "outcome_weights": {"buy": 3.0, "a": 1.0},
    "gates": [{"name": "adult", "keep": "item.numbers.age < 18.0"}],
    "rules": [{"name": "hero", "pin": {"item_id": "space-0", "slot": 1}}],
    "diversity": {"strength": 0.25},
}


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=1)


@pytest_asyncio.fixture
async def clients(running: Suite) -> Any:
    async with caller_of(running) as caller:
        await caller.upsert(*catalogue())
    async with connect(running.endpoints) as own:
        yield own


async def surface(running: Suite, folder: Path, *arguments: str) -> Finished:
    done = await harken("surface", *arguments, folder=folder, endpoints=running.endpoints)
    assert "Traceback" not in done.errors
    return done


async def serving(clients: Clients, name: str) -> surface_pb2.Surface:
    return (await clients.surfaces.GetSurface(pb.GetSurfaceRequest(name=name))).surface


def write(folder: Path, file: str, content: Any) -> None:
    (folder / file).write_text(content if isinstance(content, str) else json.dumps(content))


async def test_a_surface_from_its_first_file_to_its_end(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    write(tmp_path, "home.json", CONFIG)
    checked = await surface(running, tmp_path, "put", "home.json", "--check")
    assert (checked.code, checked.output) == (0, "surface home: all is well, nothing was put\n")
    done = await surface(running, tmp_path, "put", "home.json", "--note", "ann: [first]")
    assert done.code == 0, done.errors
    assert done.output.startswith("surface home: revision 1 serves, from position ")
    one = await serving(clients, "home")
    assert (one.note, one.config.rules[0].pin.item_id) == ("ann: [first]", "space-0")
    again = await surface(running, tmp_path, "put", "home.json", "--note", "ann: [first]")
    assert again.output == "surface home: revision 1 serves already, nothing changed\n"

    # What is printed is taken, with its etag: whoever was faster is not overwritten.
    printed = await surface(running, tmp_path, "get", "home")
    whole = json.loads(printed.output)
    assert whole["config"] == CONFIG
    assert list(whole["config"]["outcome_weights"]) == ["a", "buy"]
    whole["config"]["diversity"]["strength"] = 0.5
    write(tmp_path, "changed.json", whole)
    compared = await surface(running, tmp_path, "diff", "home", "--file", "changed.json")
    assert [line for line in compared.output.splitlines() if line[0] in "+-"] == [
        "--- home 1", "+++ file", '-    "strength": 0.25', '+    "strength": 0.5',
    ]  # fmt: skip
    done = await surface(running, tmp_path, "put", "changed.json", "--note", "bob")
    assert "surface home: revision 2 serves" in done.output
    whole["config"]["diversity"]["strength"] = 0.75
    write(tmp_path, "late.json", whole)
    late = await surface(running, tmp_path, "put", "late.json")
    assert late.code == 1
    assert "surface 'home' changed since it was read: revision 2 serves now" in late.errors

    compared = await surface(running, tmp_path, "diff", "home")
    assert compared.output.startswith("--- home 1\n+++ home 2\n")
    assert '+    "strength": 0.5' in compared.output
    same = await surface(running, tmp_path, "diff", "home", "2", "2")
    assert (same.output, same.errors) == ("", "nothing differs\n")

    back = await surface(running, tmp_path, "rollback", "home", "1", "--note", "no good")
    assert "surface home: revision 3 serves" in back.output
    assert (await serving(clients, "home")).config.diversity.strength == 0.25

    asked = await surface(running, tmp_path, "delete", "home")
    assert asked.code == 1
    assert "say --yes" in asked.errors
    gone = await surface(running, tmp_path, "delete", "home", "--yes")
    assert gone.output.startswith("surface home is deleted, from position ")
    missing = await surface(running, tmp_path, "get", "home")
    assert missing.code == 1
    assert "there is no surface 'home'" in missing.errors
    listed = await surface(running, tmp_path, "history", "home")
    lines = [line.split() for line in listed.output.splitlines()[2:] if line.strip(" ─")]
    assert [line[0] for line in lines] == ["4", "3", "2", "1"]
    assert "deleted" in lines[0]
    assert "ann: [first]" in listed.output
    assert "1 gate, 1 rule, diversity, outcome weights" in listed.output
    newest = await surface(running, tmp_path, "history", "home", "--limit", "2", "--json")
    assert [json.loads(line)["revision"] for line in newest.output.splitlines()] == ["4", "3"]


async def test_what_is_most_likely_a_typo_is_warned_of_and_put(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    """Named as the file names it, after a check and a put alike."""
    typos = {
        "seen": {"[pley]": "30d"},
        "rules": [{"name": "hero", "pin": {"item_id": "nowhere", "slot": 1}}],
    }
    for content, before in ((typos, ""), ({"name": "typos", "config": typos}, "config.")):
        write(tmp_path, "typos.json", content)
        for option, said in (("--check", "nothing was put"), ("--note=n", "revision 1 serves")):
            done = await surface(running, tmp_path, "put", "typos.json", option)
            assert done.code == 0
            assert said in done.output
            seen, item = done.errors.splitlines()
            assert seen.startswith(
                f"warning: {before}seen['[pley]']: there is no event type '[pley]', but "
            )
            assert item == f"warning: {before}rules[0].pin.item_id: there is no item 'nowhere'"


async def test_surfaces_are_listed(clients: Clients, running: Suite, tmp_path: Path) -> None:
    write(tmp_path, "basket.json", {})
    for name in ("list-b", "list-a"):
        await surface(running, tmp_path, "put", "basket.json", "--name", name)
    done = await surface(running, tmp_path, "list")
    rows = [line.split() for line in done.output.splitlines() if "list-" in line]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("list-a", "1", "nothing"), ("list-b", "1", "nothing"),
    ]  # fmt: skip
    done = await surface(running, tmp_path, "list", "--json")
    found = [json.loads(line) for line in done.output.splitlines()]
    assert {"list-a", "list-b"} <= {one["name"] for one in found}
    nobody = await surface(running, tmp_path, "list", "--tenant", "nobody")
    assert "has no catalogue yet" in nobody.errors


async def test_what_is_wrong_is_named_as_the_file_names_it(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    bad = {
        "diversity": {"strength": 2},
        "rules": [
            {"name": "a", "boost": {"items": "true", "factor": 0}},
            {"name": "A", "sort": {"by": ""}},
        ],
    }
    for content, before in ((bad, ""), ({"name": "x", "config": bad}, "config.")):
        write(tmp_path, "wrong.json", content)
        done = await surface(running, tmp_path, "put", "wrong.json")
        name = "x" if before else "wrong"
        assert (done.code, done.output) == (1, "")
        assert done.errors.splitlines() == [
            f"error: surface {name} is not put, nothing changed:",
            f"  {before}rules[0].boost.factor: must be 0.001 to 1,000, is 0.0",
            f"  {before}rules[1].name: must be 1 to 64 of [a-z0-9_-]",
            f"  {before}rules[1].sort.by: is required",
            f"  {before}diversity.strength: must be 0 to 1, is 2.0",
        ]
    many = {"rules": [{"name": "R"}] * 30}
    write(tmp_path, "many.json", many)
    done = await surface(running, tmp_path, "put", "many.json")
    lines = done.errors.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 69 more"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "wrong.json: is not JSON: "),
        ("[]", "wrong.json: must be a JSON object"),
        ({"ruls": []}, "ruls: no such field; there are: outcome_weights, gates, "),
        ({"diversity": {"strength": "much"}}, "diversity.strength: must be a number"),
        ({"config": {}, "rules": []}, "rules: no such field; there are: "),
    ],
)
async def test_files_that_are_none_are_refused(
    running: Suite, tmp_path: Path, content: Any, message: str
) -> None:
    write(tmp_path, "wrong.json", content)
    done = await surface(running, tmp_path, "put", "wrong.json")
    assert done.code == 1
    assert message in " ".join(done.errors.split())


async def test_a_surface_is_described_in_words(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    """What is configured, each revision of it, and what is not configured too."""
    write(tmp_path, "told.json", CONFIG)
    assert (await surface(running, tmp_path, "put", "told.json")).code == 0
    write(tmp_path, "told.json", {"exploration": {"epsilon": 0.125}})
    assert (await surface(running, tmp_path, "put", "told.json")).code == 0
    done = await surface(running, tmp_path, "describe", "told")
    assert done.code == 0, done.errors
    assert "# How slates of told are made (revision 2)" in done.output
    assert "Each place goes with a probability of 12.5% to any" in done.output
    assert "non_personal" in done.output
    before = await surface(running, tmp_path, "describe", "told", "--revision", "1")
    assert 'Rule "hero": item "space-0" stands at place 1.' in before.output
    assert "Outcome buy has the weight 3" in before.output
    plain = await surface(running, tmp_path, "describe", "nobody-put-it")
    assert "(nothing configured)" in plain.output
    assert "of the model" in plain.output
    assert (await surface(running, tmp_path, "delete", "told", "--yes")).code == 0
    gone = await surface(running, tmp_path, "describe", "told", "--json")
    assert json.loads(gone.output).get("revision") is None
    answer = await clients.surfaces.DescribeSurface(pb.DescribeSurfaceRequest(name="told"))
    assert answer.generation_id
    assert answer.sections[0].heading == "What decides the order"
    missing = await surface(running, tmp_path, "describe", "told", "--revision", "9")
    assert missing.code == 1
    wrong = await surface(running, tmp_path, "describe", "A B")
    assert wrong.code == 1
    assert "name" in wrong.errors
