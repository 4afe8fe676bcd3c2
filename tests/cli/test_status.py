"""`harken status` against two rankers by script: what it says, and its exit code."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import ScriptedSuite, serving


@pytest.fixture
def rankers() -> list[ScriptedSuite]:
    return [ScriptedSuite(), ScriptedSuite()]


@pytest.fixture
async def endpoints(rankers: list[ScriptedSuite]) -> AsyncIterator[Endpoints]:
    async with AsyncExitStack() as stack:
        served = [await stack.enter_async_context(serving(one, healthy=True)) for one in rankers]
        first, second = (one.feedback for one in served)
        yield Endpoints(first, first, (first, second))


async def test_all_is_well(endpoints: Endpoints, tmp_path: Path) -> None:
    done = await harken("status", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.output + done.errors
    lines = done.output.splitlines()
    assert (
        "tenant default: generation g2 is serving, trained through entry 1,234 of the log; "
        "2 of 2 rankers serve it" in lines
    )
    assert (
        "tenant default: generation g1 is stored, made without training; 0 of 2 rankers serve it"
        in lines
    )
    assert (
        "tenant default: generation and digest of the 2 of 2 rankers at one version agree" in lines
    )


async def test_what_was_published_is_not_said_to_be_made_without_training(
    rankers: list[ScriptedSuite], endpoints: Endpoints, tmp_path: Path
) -> None:
    rankers[0].published_seconds = 1_764_405_653
    done = await harken("status", folder=tmp_path, endpoints=endpoints)
    assert "generation g1 is stored, published 2025-11-29 08:40 UTC; 0 of 2" in done.output
    assert "made without training" not in done.output


async def test_rankers_that_differ_are_exit_code_1(
    rankers: list[ScriptedSuite], endpoints: Endpoints, tmp_path: Path
) -> None:
    """Truth 6: at one version all have one digest."""
    rankers[1].digest = b"e"
    done = await harken("status", folder=tmp_path, endpoints=endpoints)
    assert done.code == 1
    assert "of the 2 of 2 rankers at one version DIFFER" in done.output


async def test_rankers_at_different_versions_are_not_compared(
    rankers: list[ScriptedSuite], endpoints: Endpoints, tmp_path: Path
) -> None:
    rankers[1].digest, rankers[1].version = b"e", 7
    done = await harken("status", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0
    assert "all rankers are at different versions, not compared" in done.output


async def test_what_live_events_say_is_shown(
    rankers: list[ScriptedSuite], endpoints: Endpoints, tmp_path: Path
) -> None:
    rankers[0].busy = True
    done = await harken("status", folder=tmp_path, endpoints=endpoints)
    lines = done.output.splitlines()
    assert (
        "tenant default: g1 against the serving generation: +0.0200 (+0.0100 to +0.0300), "
        "1,500 events" in lines
    )
    assert (
        "tenant default: frozen reference against live vectors: +0.0010 (-0.0090 to +0.0110), "
        "1,500 events" in lines
    )
    assert "tenant default: vectors of g2 were rolled back by the guard, 2 times so far" in lines
    assert any("generation g0 is retired (worse: -0.01)" in line for line in lines)
