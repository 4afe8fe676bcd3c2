"""`harken experiment` on a real suite: what it prints, changes and exits with."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from harken.feedback.v1 import experiment_pb2
from harken.feedback.v1 import experiment_service_pb2 as pb
from services.cli.clients import Clients, connect
from services.cli.experiments.log_outcomes import watched_until
from services.cli.suite import Suite
from tests.cli.harken_process import ROOT, Finished, harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import caller_of, catalogue

CONFIG: dict[str, Any] = {
    "layer": "looks",
    "buckets": 1000,
    "surfaces": ["home"],
    "variants": [
        {"name": "control", "weight": 1},
        {"name": "curious", "weight": 1, "exploration": {"epsilon": 0.1}},
    ],
    "primary": {"name": "plays", "event_types": ["play"]},
    "window": "604800s",
    "planned_users": "20000",
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


async def experiment(running: Suite, folder: Path, *arguments: str) -> Finished:
    done = await harken("experiment", *arguments, folder=folder, endpoints=running.endpoints)
    assert "Traceback" not in done.errors
    return done


async def kept(clients: Clients, name: str) -> experiment_pb2.Experiment:
    request = pb.GetExperimentRequest(name=name)
    return (await clients.experiments.GetExperiment(request)).experiment


def write(folder: Path, file: str, content: Any) -> None:
    (folder / file).write_text(json.dumps(content))


async def test_an_experiment_from_its_file_to_its_end(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    write(tmp_path, "calm.json", CONFIG)
    checked = await experiment(running, tmp_path, "put", "calm.json", "--check")
    assert (checked.code, checked.output) == (0, "experiment calm: all is well, nothing was put\n")
    done = await experiment(running, tmp_path, "put", "calm.json", "--note", "ann: [first]")
    assert done.code == 0, done.errors
    assert done.output.startswith("experiment calm: revision 1, draft; from position ")
    again = await experiment(running, tmp_path, "put", "calm.json", "--note", "ann: [first]")
    assert again.output == "experiment calm: revision 1, draft already, nothing changed\n"
    # What is printed is taken, with its etag.
    printed = await experiment(running, tmp_path, "get", "calm")
    whole = json.loads(printed.output)
    assert whole["config"] == CONFIG | {"first_bucket": 0, "salt": "calm", "alpha": 0.05}
    whole["config"]["planned_users"] = "30000"
    write(tmp_path, "changed.json", whole)
    changed = await experiment(running, tmp_path, "put", "changed.json", "--note", "bob")
    assert "revision 2, draft" in changed.output

    begun = await experiment(running, tmp_path, "start", "calm", "--share", "0.1")
    assert "revision 3, running, 100 of 1,000 buckets open" in begun.output
    early = await experiment(running, tmp_path, "report", "calm")
    assert early.code == 0, early.errors
    assert "0 users exposed" in early.output
    assert "nothing is decided about plays yet" in early.output
    wider = await experiment(running, tmp_path, "ramp", "calm", "1", "--note", "all is well")
    assert "1,000 of 1,000 buckets open" in wider.output
    back = await experiment(running, tmp_path, "ramp", "calm", "0.5")
    assert back.code == 1
    assert "whoever is in stays in" in " ".join(back.errors.split())
    late = await experiment(running, tmp_path, "put", "calm.json")
    assert late.code == 1
    assert "is running: only a draft is changed" in " ".join(late.errors.split())
    stopped = await experiment(running, tmp_path, "stop", "calm")
    assert "revision 5, stopped" in stopped.output
    named = await experiment(
        running, tmp_path, "conclude", "calm", "control", "--note", "no difference"
    )
    assert "revision 6, concluded: control" in named.output
    assert (await kept(clients, "calm")).winner == "control"

    listed = await experiment(running, tmp_path, "history", "calm", "--limit", "4")
    lines = [line.split() for line in listed.output.splitlines()[2:] if line.strip(" ─")]
    assert [line[0] for line in lines] == ["6", "5", "4", "3"]
    newest = await experiment(running, tmp_path, "history", "calm", "--json", "--limit", "1")
    assert json.loads(newest.output)["state"] == "EXPERIMENT_STATE_CONCLUDED"
    asked = await experiment(running, tmp_path, "delete", "calm")
    assert (asked.code, "say --yes" in asked.errors) == (1, True)
    gone = await experiment(running, tmp_path, "delete", "calm", "--yes")
    assert gone.output == "experiment calm is deleted\n"
    missing = await experiment(running, tmp_path, "get", "calm")
    assert "there is no experiment 'calm'" in missing.errors


async def test_a_metric_of_events_that_nobody_knows_is_warned_of_and_put(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    """Named as the file names it, after a check and a put alike."""
    typo = CONFIG | {
        "layer": "typo",
        "surfaces": ["typo"],
        "primary": {"name": "plays", "event_types": ["pley"]},
    }
    write(tmp_path, "typo.json", typo)
    for option, said in (("--check", "nothing was put"), ("--note=n", "revision 1, draft")):
        done = await experiment(running, tmp_path, "put", "typo.json", option)
        assert (done.code, said in done.output) == (0, True)
        [warning] = done.errors.splitlines()
        assert warning.startswith(
            "warning: primary.event_types[0]: there is no event type 'pley', but "
        )


async def test_the_page_plans_for_the_experiment_that_it_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    (shown,) = re.findall(r"^harken experiment plan (.*?) *#.*: ([0-9,]+)$", page, re.MULTILINE)
    (config,) = map(json.loads, re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    done = await harken("experiment", "plan", *shown[0].split(), folder=tmp_path)
    users = config["planned_users"]
    assert done.output == f"{users:,} users of {len(config['variants'])} variants\n"
    assert shown[1] == f"{users:,}"
    taken = config["variants"][2]["surface"]
    assert page.index(f"harken surface put {taken}.json") < page.index("harken experiment put")


def test_users_are_watched_until_the_stop() -> None:
    running = experiment_pb2.Experiment()
    assert watched_until(running, 7_000_000) == 7_000_000
    running.stop_time.FromSeconds(5)
    assert watched_until(running, 7_000_000) == 5_000_000
    assert watched_until(running, 4_000_000) == 4_000_000


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("fast.svg", "plots need matplotlib: pip install -e '.[eval]', or leave out --plot"),
        ("fast.bmp", "--plot fast.bmp: the name must end in .png, .svg, .pdf"),
        ("away/fast.png", "--plot away/fast.png: there is no folder away"),
    ],
)
async def test_what_a_plot_lacks_is_said_before_anything_is_read(
    tmp_path: Path, file: str, message: str
) -> None:
    # The folder that a command is called from is looked through first.
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    done = await harken("experiment", "report", "fast", "--plot", file, folder=tmp_path)
    assert (done.code, done.output) == (1, "")
    assert " ".join(done.errors.split()) == f"error: {message}"


async def test_evaluations_say_so_too_before_they_read(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    for arguments in (("x.csv",), ("--off-policy", "x.jsonl")):
        done = await harken("evaluate", *arguments, "--plots", "plots", folder=tmp_path)
        assert done.code == 1
        assert " ".join(done.errors.split()).endswith("'.[eval]', or leave out --plots")


async def test_experiments_are_listed(clients: Clients, running: Suite, tmp_path: Path) -> None:
    write(tmp_path, "own.json", CONFIG | {"layer": "listed"})
    for name in ("list-b", "list-a"):
        await experiment(running, tmp_path, "put", "own.json", "--name", name)
    done = await experiment(running, tmp_path, "list")
    rows = [line for line in done.output.splitlines() if "list-" in line]
    assert [row.split()[0] for row in rows] == ["list-a", "list-b"]
    lines = await experiment(running, tmp_path, "list", "--json")
    found = [json.loads(line) for line in lines.output.splitlines()]
    assert [one["config"]["first_bucket"] for one in found if "list-" in one["name"]] == [1000, 0]


async def test_what_is_wrong_is_named_as_the_file_names_it(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    bad = CONFIG | {"buckets": 0, "window": "0.1s"}
    for content, before in ((bad, ""), ({"name": "x", "config": bad}, "config.")):
        write(tmp_path, "wrong.json", content)
        done = await experiment(running, tmp_path, "put", "wrong.json")
        name = "x" if before else "wrong"
        assert (done.code, done.output) == (1, "")
        assert done.errors.splitlines() == [
            f"error: experiment {name} is not put, nothing changed:",
            f"  {before}buckets: must be 1 to 10,000, is 0",
            f"  {before}window: must be 1 s to 90 days, is 0 s and 100000000 ns",
        ]
    write(tmp_path, "none.json", {"bucket": 3})
    done = await experiment(running, tmp_path, "put", "none.json")
    assert "bucket: no such field; there are: layer, buckets, first_bucket, " in " ".join(
        done.errors.split()
    )
