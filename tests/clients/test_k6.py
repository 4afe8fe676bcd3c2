"""k6 runs our load script: its thresholds hold on a suite, and fail where they should."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.cli.suite import Suite
from tests.deploy.edge.binaries import needs, required
from tests.end_to_end.clients import Caller

pytestmark = needs("k6", "k6, extra `ops`")

_SCRIPT = Path(__file__).with_name("load.js")
_THRESHOLDS_CROSSED = 99


async def load(
    running: Suite, folder: Path, **variables: str
) -> tuple[subprocess.CompletedProcess[str], Any]:
    summary = folder / "summary.json"
    environment = {
        "FEEDBACK": running.endpoints.feedback, "RANKER": running.endpoints.rankers[0],
        # Generous: cores are shared, and numbers are not measured here.
        "RATE": "10", "DURATION": "3s", "P95_MS": "5000", "K6_NO_USAGE_REPORT": "true",
        **variables,
    }  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run,
        [required("k6"), "run", "--quiet", "--summary-export", str(summary), str(_SCRIPT)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done, json.loads(summary.read_text())["metrics"] if summary.exists() else {}


async def test_load_passes_its_thresholds(running: Suite, caller: Caller, tmp_path: Path) -> None:
    done, metrics = await load(running, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert metrics["checks"]["fails"] == 0
    assert metrics["checks"]["passes"] >= 3 * 25
    # What k6 says it recorded, the profile service knows.
    assert (await caller.profile("k6-user-3", b"")).profile.counters.events == 1


@pytest.mark.parametrize(
    "variables",
    [{"EVENT_TYPE": "no-such-type"}, {"P95_MS": "0.001"}],
    ids=["events rejected", "too slow"],
)
async def test_load_fails_when_it_should(
    running: Suite, caller: Caller, tmp_path: Path, variables: dict[str, str]
) -> None:
    done, _ = await load(running, tmp_path, **variables)
    assert done.returncode == _THRESHOLDS_CROSSED, done.stdout + done.stderr
