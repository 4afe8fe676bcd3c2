"""A scripted upstream and a ranker that follows it, for one test."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.ranker.ranker_process import Ranker, running_ranker
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.waiting import until

StartRanker = Callable[..., Awaitable[Ranker]]


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    await upstream.start_feedback()
    await upstream.start_profile()
    yield upstream
    await upstream.close()


@pytest.fixture
async def start_ranker(upstream: ScriptedUpstream, tmp_path: Path) -> AsyncIterator[StartRanker]:
    """Start a ranker with settings, after the frames that the test has scripted so far."""
    async with contextlib.AsyncExitStack() as stack:
        started = 0

        async def start(ready: bool = True, **settings: str) -> Ranker:
            nonlocal started
            started += 1
            folder = tmp_path / f"ranker-{started}"
            folder.mkdir()
            ranker = await stack.enter_async_context(running_ranker(upstream, folder, **settings))
            if ready:
                await until(ranker.is_ready, "readiness")
            return ranker

        yield start
