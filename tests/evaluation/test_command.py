"""`harken evaluate` as users run it, on files of several kinds."""

import importlib.util
import json
from pathlib import Path

import pytest

from services.simulator.world import WorldConfig, write_world
from tests.cli.harken_process import harken


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(WorldConfig(seed=3, users=60, items=150, days=12), folder)
    return folder


async def test_all_that_is_promised_is_said_and_written(world: Path) -> None:
    arms = "popularity,decayed_popularity,v_sknn,frozen_state,daily,full"
    done = await harken(
        "evaluate", "events.csv.gz", "--items", "items.csv", "--arms", arms, "--limit", "300",
        "--cutoffs", "10,5", "--preset", "media", "--json", "out.json",
        folder=world, seconds=120,
    )  # fmt: skip
    assert done.code == 0, done.errors
    for said in ("NDCG@10", "HR@5", "NDCG of full over", "young items", "coverage", "ECE",
                 "µs/ranking", "before any of them is revealed", "peak memory",
                 "The test part begins at 2", "daily: everything, history too",
                 "made without training", "novelty the mean surprise"):  # fmt: skip
        assert said in done.output, said
    found = json.loads((world / "out.json").read_text())
    assert list(found["arms"]) == [*arms.split(",")[:3], "full", "daily", "frozen_state"]
    full = found["arms"]["full"]
    assert full["figures"][0]["ndcg"] > found["arms"]["popularity"]["figures"][0]["ndcg"]
    low, high = full["figures"][0]["ndcg_interval_95"]
    assert low < full["figures"][0]["ndcg"] < high
    over = found["segments"]["all"]["ndcg_of_full_over"]["daily"]
    assert over["interval_95"][0] <= over["value"] <= over["interval_95"][1]
    assert [age for age, _ in found["staleness"]] == ["immediate", "day", "frozen"]
    assert found["cumulative_ndcg"]["full"]["values"][-1] == pytest.approx(
        full["figures"][0]["ndcg"]
    )
    assert found["data"]["events"] > 1000
    assert found["protocol"]["repeats"] == "exclude"
    parts = found["segments"]
    assert parts["all"]["events"] == found["scored_events"] <= 300
    assert sum(found["data"]["types"].values()) == found["data"]["events"]


async def test_types_that_the_preset_does_not_know_are_named(tmp_path: Path) -> None:
    kinds = ("view", "buy", "View")
    rows = [f"u{n % 7},i{n % 5},{1_700_000_000 + n},{kinds[n % 3]}" for n in range(60)]
    (tmp_path / "shop.csv").write_text("user,item,timestamp,type\n" + "\n".join(rows) + "\n")
    command = ("evaluate", "shop.csv", "--arms", "popularity", "--repeats", "include")
    done = await harken(*command, folder=tmp_path, seconds=120)
    assert done.code == 0, done.errors
    said = " ".join(done.errors.split())
    assert "types that shopping does not know weigh 1 here" in said
    assert "20 'buy'" in said
    assert "20 'View'" in said
    assert "20 'view'" not in said
    maps = ("--map-type", "buy=purchase", "--map-type", "View=view")
    done = await harken(*command, *maps, folder=tmp_path, seconds=120)
    assert done.code == 0, done.errors
    assert "does not know" not in done.errors


async def test_the_same_seed_gives_the_same_figures(world: Path) -> None:
    figures = []
    for name in ("a.json", "b.json"):
        done = await harken(
            "evaluate", "events.csv.gz", "--arms", "popularity,full", "--limit", "60",
            "--json", name, folder=world, seconds=120,
        )  # fmt: skip
        assert done.code == 0, done.errors
        found = json.loads((world / name).read_text())
        figures.append((found["segments"], found["data"]["fingerprint"]))
    assert figures[0] == figures[1]


async def test_a_baseline_stands_beside_full_without_an_arm_of_its_own(world: Path) -> None:
    done = await harken(
        "evaluate", "events.csv.gz", "--arms", "full", "--beside", "v_sknn,v_sknn", "--limit", "60",
        "--json", "beside.json", folder=world, seconds=120,
    )  # fmt: skip
    assert done.code == 0, done.errors
    arms = json.loads((world / "beside.json").read_text())["arms"]
    assert list(arms) == ["full", "full+nothing", "full+v_sknn"]


async def test_sessions_of_clicks_with_repeats_in_milliseconds(tmp_path: Path) -> None:
    lines = ["SessionId,ItemId,Timestamp"]
    for session in range(80):
        for step in range(6):
            item = (session * 7 + step // 2) % 25
            lines.append(f"{session},{item},{1_700_000_000_000 + 60_000 * session + 700 * step}")
    (tmp_path / "clicks.csv").write_text("\n".join(lines) + "\n")
    for repeats in ("exclude", "include"):
        done = await harken(
            "evaluate", "clicks.csv", "--repeats", repeats, "--arms", "popularity,v_sknn,full",
            "--every", "2", "--json", "out.json", folder=tmp_path, seconds=120,
        )  # fmt: skip
        assert done.code == 0, done.errors
        assert "Only one group in 2" in done.output
        found = json.loads((tmp_path / "out.json").read_text())
        assert found["data"]["types"] == {"event": 480}
        # 16 sessions of four groups: 0 0, 1, 1 2, 2. The first and the third are ranked.
        assert found["scored_events"] == 16 * (4 if repeats == "include" else 2)
        assert found["segments"]["new users since the split"]["events"] > 0


async def test_sessions_and_last_events_as_papers_take_them(tmp_path: Path) -> None:
    lines = ["SessionId,ItemId,Timestamp"]
    for session in range(60):
        for step in range(4):
            item = (session * 7 + step) % 25
            lines.append(f"{session},{item},{1_700_000_000_000 + 60_000 * session + 1000 * step}")
    (tmp_path / "clicks.csv").write_text("\n".join(lines) + "\n")
    for protocol, arms, scored, cutoffs, repeats in (
        # 12 sessions of four events, of which the first is not predicted.
        ("session", ["v_sknn", "full", "frozen_params"], 36, [20, 10], "include"),
        ("leave-one-out", ["v_sknn", "full"], 60, [10], "exclude"),
    ):
        done = await harken(
            "evaluate", "clicks.csv", "--protocol", protocol, "--json", "out.json", "--arms",
            "v_sknn,full,frozen_params,daily", folder=tmp_path, seconds=120,
        )  # fmt: skip
        assert done.code == 0, done.errors
        assert "left out: daily:" in done.output
        assert "fit µs/event" in done.output
        found = json.loads((tmp_path / "out.json").read_text())
        assert list(found["arms"]) == arms
        assert found["scored_events"] == scored
        assert found["protocol"]["protocol"] == protocol
        assert found["protocol"]["repeats"] == repeats
        assert [one["cutoff"] for one in found["arms"]["full"]["figures"]] == cutoffs
        assert found["data"]["split_us"] is None
        assert found["arms"]["v_sknn"]["cost"]["fit_us_per_event"] > 0
        assert found["arms"]["v_sknn"]["figures"][0]["ndcg"] > 0.3


async def test_what_cannot_be_done_is_said_in_a_line(world: Path, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("user,item,timestamp\nu,i,1\n")
    for arguments, message in (
        (("nowhere.csv",), "there is no file"),
        ((str(world / "events.csv.gz"), "--arms", "psychic"), "no arm 'psychic'"),
        ((str(world / "events.csv.gz"), "--beside", "psychic"), "no baseline 'psychic'"),
        (("one.csv", "--beside", "v_sknn", "--protocol", "session"), "protocol global"),
        ((str(world / "events.csv.gz"), "--preset", "astrology"), "astrology"),
        ((str(world / "events.csv.gz"), "--cutoffs", "ten"), "--cutoffs"),
        (("one.csv", "--arms", "popularity"), "nothing to compare"),
        (("one.csv", "--protocol", "leave-one-out"), "nothing to compare"),
        (("one.csv", "--protocol", "leave-one-out", "--start", "0.5"), "--start"),
        (("one.csv", "--unseen-items", "keep"), "--protocol session"),
    ):
        done = await harken("evaluate", *arguments, folder=tmp_path)
        assert done.code == 1, arguments
        assert message in done.errors, done.errors
        assert "Traceback" not in done.errors


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "onnxscript")),
    reason="torch or onnxscript missing (extra `train`)",
)
async def test_a_generation_is_trained_before_the_split_and_serves_after_it(world: Path) -> None:
    arms = ("--arms", "full,warm_250,frozen_state", "--limit", "300")
    found = {}
    for name, options in (("plain", ()), ("trained", ("--train", "--keep-anyway"))):
        done = await harken(
            "evaluate", "events.csv.gz", "--items", "items.csv", *arms, *options,
            "--json", f"{name}.json", folder=world, seconds=300,
        )  # fmt: skip
        assert done.code == 0, done.errors
        found[name] = json.loads((world / f"{name}.json").read_text())
    assert found["plain"]["skipped"] == {
        "warm_250": "needs a trained generation with item vectors: --train"
    }
    assert list(found["trained"]["arms"]) == ["full", "frozen_state", "warm_250"]
    ndcg = {
        name: {arm: one["figures"][0]["ndcg"] for arm, one in report["arms"].items()}
        for name, report in found.items()
    }
    assert ndcg["trained"]["full"] != ndcg["plain"]["full"]
    assert ndcg["trained"]["full"] > ndcg["trained"]["frozen_state"]
    assert ndcg["trained"]["warm_250"] > ndcg["trained"]["frozen_state"]


@pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib missing (extra `eval`)"
)
async def test_plots_are_written(world: Path, tmp_path: Path) -> None:
    done = await harken(
        "evaluate", str(world / "events.csv.gz"), "--arms", "popularity,daily,full",
        "--limit", "100", "--plots", "plots", folder=tmp_path, seconds=120,
    )  # fmt: skip
    assert done.code == 0, done.errors
    for name in ("staleness", "cumulative", "cost"):
        assert (tmp_path / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
