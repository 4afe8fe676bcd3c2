"""`harken evaluate` runs the code of the services: a replay over the wire gives its figures."""

import json
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from services.simulator.world import WorldConfig, write_world
from tests.cli.harken_process import harken
from tests.conftest import StartSuite

THIRD_DECIMAL = 0.0005
START = 500
"""Few enough events before the split for one step of the learner, on the wire as in process: how a
longer backlog is cut into steps depends on timing there, and moves figures in the third decimal."""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Ratings with many ties, users and items that are new after the split."""
    write_world(WorldConfig(seed=5, users=60, items=300, days=8), tmp_path)
    return tmp_path


async def test_figures_are_those_of_a_replay_over_the_wire(world: Path, suite: StartSuite) -> None:
    # Ticks would take sequences, which negatives are drawn by. In process each group is learned by
    # itself, and before the next slate: so it is here.
    settings = {"MAX_AGE_SECONDS": str(1e11), "TICK_SECONDS": "3600", "STEP_SECONDS": "0"}
    environment = {"feedback": {f"HARKEN_FEEDBACK_{k}": v for k, v in settings.items()}}
    running = suite(preset="media", environment=environment)
    endpoints: Endpoints = running.endpoints
    imported = await harken("import", "items", "items.csv", folder=world, endpoints=endpoints)
    assert imported.code == 0, imported.errors
    common = ("--start", str(START))
    replayed = await harken(
        "replay", "events.csv.gz", *common, "--await-learning", "--json", "replay.json",
        folder=world, endpoints=endpoints, seconds=300,
    )  # fmt: skip
    assert replayed.code == 0, replayed.errors
    evaluated = await harken(
        "evaluate", "events.csv.gz", "--items", "items.csv", *common, "--preset", "media",
        "--arms", "full,frozen_state", "--json", "evaluate.json", folder=world, seconds=300,
    )  # fmt: skip
    assert evaluated.code == 0, evaluated.errors

    wire = json.loads((world / "replay.json").read_text())
    here = json.loads((world / "evaluate.json").read_text())
    assert wire["stale_slates"] == 0
    assert wire["not_accepted"] == 0
    parts = {"all": "all", "new users": "new users since the split",
             "new items": "new items since the split"}  # fmt: skip
    for over_wire, in_process in parts.items():
        for arm in ("full", "frozen_state"):
            expected = wire["parts"][over_wire][arm]
            segment = here["segments"][in_process]
            found = segment["arms"][arm]
            assert segment["events"] == expected["events"]
            for metric in ("ndcg", "hit_rate", "mrr"):
                # Steps of the learner begin where load has them begin, and sums differ by kind of
                # processor: an item of few slates may stand on the other side of the cut-off.
                tolerance = max(THIRD_DECIMAL, 3.01 / segment["events"])
                assert found[metric] == pytest.approx(expected[metric], abs=tolerance), (
                    f"{metric} of {arm}, {in_process}"
                )
