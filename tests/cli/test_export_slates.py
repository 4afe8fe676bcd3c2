"""Slates out of a real feedback service into files, and what `harken evaluate` makes of them."""

import asyncio
import csv
import json
import time
from pathlib import Path
from random import Random
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio

from harken.common.v1.subject_pb2 import Subject
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.internal.slates.v1 import decision_pb2, slate_service_pb2, slate_service_pb2_grpc
from services.cli.clients import connect
from services.cli.exports.slate_export import export_slates
from services.cli.suite import Suite
from tests.cli.harken_process import harken
from tests.conftest import StartSuite
from tests.evaluation.off_policy.oracle_log import softmax

TENANT = "explored"
ITEMS, PLACES, SLATES, USERS = 6, 2, 240, 60
LOGGING, TARGET = 1.0, 0.5


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="shopping", rankers=1)


def bits(taken: tuple[int, ...]) -> bytes:
    return bytes([sum(1 << item for item in taken)])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(running: Suite) -> list[dict[str, Any]]:
    """What was shown, clicked and would be weighed, by loops of the test's own."""
    random = Random(5)
    names = [f"i{number}" for number in range(ITEMS)]
    async with connect(running.endpoints) as clients:
        items = [item_pb2.Item(item_id=name) for name in names]
        await clients.catalog.UpsertItems(
            catalog_service_pb2.UpsertItemsRequest(tenant=TENANT, items=items),
            wait_for_ready=True,
        )
        known, sent, events = [], [], []
        for number in range(SLATES):
            utilities = [float(np.float32(random.gauss(0, 1))) for _ in range(ITEMS)]
            shown: tuple[int, ...] = ()
            barred, propensities, weight = [], [], 1.0
            for _ in range(PLACES):
                chances = softmax(utilities, LOGGING, shown)
                (item,) = random.choices(range(ITEMS), chances)
                barred.append(bits(shown))
                propensities.append(chances[item])
                weight *= softmax(utilities, TARGET, shown)[item] / chances[item]
                shown += (item,)
            clicked = [place for place in range(PLACES) if random.random() < 0.3]
            decision = decision_pb2.SlateDecision(
                surface_revision=3, candidate_ids=names, barred=barred,
                utilities=np.array(utilities, "<f4").tobytes(),
            )  # fmt: skip
            decision.exploration.plackett_luce_temperature = LOGGING
            subject = Subject(user_id=f"u{number % USERS}")
            slate = slate_service_pb2.ServedSlate(
                slate_id=f"s{number}", subject=subject, surface="home", seed=2**63 + number,
                generation_id="none", policy="plackett-luce",
                item_ids=[names[item] for item in shown], decision=decision,
                propensities=np.array(propensities, "<f4").tobytes(),
                exposures=[decision_pb2.SlateExposure(
                    experiment="e", variant="b", revision=1, layer="l"
                )],
            )  # fmt: skip
            slate.serve_time.GetCurrentTime()
            sent.append(slate)
            events += [
                event_pb2.Event(
                    event_id=f"{number}-{place}", subject=subject, item_id=names[shown[place]],
                    type="click", slate_id=f"s{number}",
                )
                for place in clicked
            ]  # fmt: skip
            known.append({"shown": shown, "clicked": clicked, "weight": weight})
        async with grpc.aio.insecure_channel(running.endpoints.feedback) as channel:
            stub: Any = slate_service_pb2_grpc.SlateServiceStub(channel)
            answer = await stub.RecordSlates(
                slate_service_pb2.RecordSlatesRequest(tenant=TENANT, slates=sent)
            )
        assert not [one.detail for one in answer.results if one.detail]
        await clients.feedback.RecordEvents(
            feedback_service_pb2.RecordEventsRequest(tenant=TENANT, events=events)
        )
    return known


def all_over(file: Path) -> bool:
    return '"window_over":false' not in file.read_text()


async def written(running: Suite, file: Path) -> Path:
    """Return a file of all slates, when a window of a second is over for each."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        target = running.endpoints.feedback
        assert await asyncio.to_thread(export_slates, target, TENANT, file, 1.0) == (SLATES, 0)
        if all_over(file):
            return file
    raise AssertionError("windows are never over")


async def test_rows_say_what_was_shown_and_what_came_of_it(
    running: Suite, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = await written(running, tmp_path / "slates.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["slate_id"] for row in rows] == [f"s{number}" for number in range(SLATES)]
    for row, known in zip(rows, told, strict=True):
        assert row["items"] == [f"i{item}" for item in known["shown"]]
        assert row["window_seconds"] == 1.0
        assert [(one["item"], one["place"], one["type"]) for one in row["outcomes"]] == [
            (f"i{known['shown'][place]}", place + 1, "click") for place in known["clicked"]
        ]
        assert row["exploration"] == {
            "policy": "plackett_luce_temperature", "plackett_luce_temperature": 1.0,
        }  # fmt: skip
    first = rows[0]
    assert (first["user"], first["session"], first["surface"]) == ("u0", None, "home")
    assert (first["seed"], first["surface_revision"]) == (str(2**63), "3")
    assert first["exposures"] == [
        {"experiment": "e", "variant": "b", "revision": 1, "layer": "l", "not_served": False}
    ]
    assert len(first["candidates"]["utilities"]) == ITEMS

    done = await harken(
        "export", "slates.csv", "--kind", "slates", "--tenant", TENANT, "--window", "1",
        folder=tmp_path, endpoints=running.endpoints,
    )  # fmt: skip
    assert done.code == 0, done.errors
    assert done.output == f"{SLATES} slates\n"
    with (tmp_path / "slates.csv").open(newline="") as text:
        cells = list(csv.DictReader(text))
    assert [json.loads(one["candidates"]) for one in cells] == [one["candidates"] for one in rows]
    assert [json.loads(one["outcomes"]) for one in cells] == [one["outcomes"] for one in rows]


async def test_slates_whose_window_is_not_over_are_said_with_its_length(
    running: Suite, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("slates.jsonl", "slates.csv"):
        done = await harken("export", name, "--kind", "slates", "--tenant", TENANT, "--window",
                            "86400", folder=tmp_path, endpoints=running.endpoints)  # fmt: skip
        assert done.code == 0, done.errors
        refused = await harken("evaluate", "--off-policy", name, folder=tmp_path)
        assert refused.code == 1
        said = f"{SLATES} the window of 86,400 s was not over (`harken export --window SECONDS`"
        assert said in " ".join(refused.errors.split())


async def test_parquet_tells_the_same_values(
    running: Suite, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    await written(running, tmp_path / "slates.jsonl")
    target = running.endpoints.feedback
    await asyncio.to_thread(export_slates, target, TENANT, tmp_path / "slates.parquet", 1.0)
    rows = parquet.read_table(tmp_path / "slates.parquet").to_pylist()
    lines = map(json.loads, (tmp_path / "slates.jsonl").read_text().splitlines())
    for row, line in zip(rows, lines, strict=True):
        assert row["items"] == line["items"]
        assert json.loads(row["candidates"]) == line["candidates"]
        assert row["window_over"] is True
    for name in ("slates.jsonl", "slates.parquet"):
        done = await harken("evaluate", "--off-policy", name, "--target", "pl:0.5", "--json",
                            f"{name}.json", folder=tmp_path)  # fmt: skip
        assert done.code == 0, done.errors
    same = [(tmp_path / f"slates.{kind}.json").read_text() for kind in ("jsonl", "parquet")]
    assert same[0] == same[1]


async def test_a_plot_is_written(
    running: Suite, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    await written(running, tmp_path / "slates.jsonl")
    done = await harken(
        "evaluate", "--off-policy", "slates.jsonl", "--target", "uniform", "--target", "pl:0.7",
        "--plots", "plots", folder=tmp_path, seconds=120,
    )  # fmt: skip
    assert done.code == 0, done.errors
    assert (tmp_path / "plots" / "off_policy.png").stat().st_size > 5_000
    assert "plots/off_policy.png" in done.output


async def test_evaluate_says_what_another_policy_would_have_earned(
    running: Suite, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    await written(running, tmp_path / "slates.jsonl")
    (tmp_path / "table.csv").write_text(
        "slate_id,place,item,probability\n"
        + "".join(
            f"{row['slate_id']},{place},{item},{propensity}\n"
            for row in map(json.loads, (tmp_path / "slates.jsonl").read_text().splitlines())
            for place, (item, propensity) in enumerate(
                zip(row["items"], row["propensities"], strict=True), 1
            )
        )
    )
    done = await harken(
        "evaluate", "--off-policy", "slates.jsonl", "--target", f"pl:{TARGET}", "--target",
        "table.csv", "--target", "greedy:click=1", "--reward", "click=2", "--json", "out.json",
        folder=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.errors
    found = json.loads((tmp_path / "out.json").read_text())
    clicks = [2.0 * len(one["clicked"]) for one in told]
    weights = [one["weight"] for one in told]
    earned = sum(click * weight for click, weight in zip(clicks, weights, strict=True))
    estimates = found["targets"][f"plackett-luce at {TARGET}"]["estimates"]
    assert estimates["ips"]["value"] == pytest.approx(earned / SLATES, rel=1e-5)
    assert estimates["snips"]["value"] == pytest.approx(earned / sum(weights), rel=1e-5)
    # A table of the propensities themselves: what was logged.
    table = found["targets"]["table.csv"]
    assert table["estimates"]["ips"]["value"] == pytest.approx(sum(clicks) / SLATES)
    assert "what it says is known" in table["estimates"]["dr"]["refused"]
    assert "no prediction of 'click'" in found["refused"]["greedy by click=1"]
    assert "plackett-luce at 0.5" in done.output
    assert "propensities as computed again, within" in done.output

    typo = await harken("evaluate", "--off-policy", "slates.jsonl", "--target", "pl:0.5",
                        "--reward", "clack=2,buy", folder=tmp_path)  # fmt: skip
    assert (typo.code, typo.output) == (1, "")
    said = " ".join(typo.errors.split())
    assert "event of the rewarded types (clack, buy); there are: click. Say with --reward" in said
    half = await harken("evaluate", "--off-policy", "slates.jsonl", "--target", "pl:0.5",
                        "--reward", "click,buy=5", folder=tmp_path)  # fmt: skip
    assert half.code == 0, half.errors
    assert "no slate has an event of type buy" in half.errors

    done = await harken("evaluate", "--off-policy", "slates.jsonl", "--surface", "basket",
                        folder=tmp_path)  # fmt: skip
    assert done.code == 1
    assert "240 of another surface" in done.errors.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "best"), "no target 'best'"),
        (("--target", "pl:0"), "a temperature is 0.001 to 100"),
        (("--target", "greedy:click=-1"), "has no weight above 0"),
        (("--reward", "click=much"), "could not convert"),
        (("--reward", "click,click"), "is not like purchase=5,click=1"),
    ],
)
async def test_what_is_given_wrong_is_said(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "slates.jsonl").write_text('{"slate_id": "s"}\n')
    done = await harken("evaluate", "--off-policy", "slates.jsonl", *options, folder=tmp_path)
    assert done.code == 1
    assert said in " ".join(done.errors.split())


async def test_a_row_that_is_no_slate_is_said_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "slates.jsonl").write_text('{"slate_id": "s", "window_over": true}\n')
    done = await harken("evaluate", "--off-policy", "slates.jsonl", folder=tmp_path)
    assert done.code == 1
    assert "slates.jsonl, row 1: no slate: KeyError: 'items'" in " ".join(done.errors.split())
