"""Node with @grpc/grpc-js, from the published protos alone."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from services.cli.suite import Suite
from tests.deploy.edge.binaries import needs, required
from tests.end_to_end.clients import Caller, event

pytestmark = [needs("node", "Node 18 or newer"), needs("npm", "npm")]

_HERE = Path(__file__).parent / "node"
_PROTOS = Path(__file__).resolve().parents[2] / "protos"
_OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with the packages that its lock file names."""
    folder = tmp_path_factory.mktemp("node") / "client"
    shutil.copytree(_HERE, folder, ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run(
        [required("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0 and any(code in done.stderr for code in _OFFLINE):
        pytest.skip("npm registry not reachable")
    assert done.returncode == 0, done.stderr
    return folder / "client.js"


async def test_it_records_asks_and_reads_error_details(
    client: Path, running: Suite, caller: Caller
) -> None:
    """Truth 8, with the token as bytes of another language."""
    done = await asyncio.to_thread(
        subprocess.run,
        [required("node"), str(client), str(_PROTOS), running.endpoints.feedback,
         running.endpoints.rankers[0], "nora", "crime-2"],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["outcome"] == "EVENT_OUTCOME_ACCEPTED"
    assert seen["stale"] is False
    assert len(seen["items"]) == 59
    assert "crime-2" not in seen["items"]
    assert seen["reason"].startswith("REASON_CODE_")
    assert seen["fault"] == {"code": 3, "fields": ["count"]}
    # Profile writes behind: ask it for a position that came later.
    later = await caller.record(event("later", "nobody", "crime-2"))
    profile = (await caller.profile("nora", later)).profile
    assert list(profile.seen_item_ids) == ["crime-2"]
