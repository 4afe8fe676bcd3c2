"""`harken generations`, `harken promote` and `harken rollback` against a suite by script."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import ScriptedSuite, serving


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


@pytest.fixture
async def endpoints(suite: ScriptedSuite) -> AsyncIterator[Endpoints]:
    async with serving(suite, healthy=True) as served:
        yield Endpoints(served.feedback, served.feedback, (served.feedback,))


async def test_generations_are_listed_with_their_figures(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    suite.busy = True
    done = await harken("generations", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.output + done.errors
    rows = {line.split()[0]: line for line in done.output.splitlines() if line.strip()}
    assert "serving" in rows["g2"]
    assert "1,234" in rows["g2"]
    assert "staged" in rows["g1"]
    assert "retired" in rows["g0"]


async def test_ids_are_shown_whole_also_where_lines_are_short(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    suite.busy, suite.long_name = True, "trained-20261129-084053-"
    done = await harken("generations", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.output + done.errors
    assert "trained-20261129-084053-g1" in done.output.split()


async def test_promote_says_when_it_serves(endpoints: Endpoints, tmp_path: Path) -> None:
    done = await harken("promote", "g1", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.output + done.errors
    assert "it serves when it is better on live events" in " ".join(done.output.split())
    done = await harken("promote", "g1", "--now", folder=tmp_path, endpoints=endpoints)
    assert "generation g1 serves, from position 01 on" in done.output


async def test_rollback_says_where_to(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    done = await harken("rollback", folder=tmp_path, endpoints=endpoints)
    assert done.code == 1
    assert "had no other generation" in " ".join(done.errors.split())
    suite.busy = True
    done = await harken("rollback", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0
    assert "generation g1 is built again" in done.output
