"""One suite with a catalogue, for all clients."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.cli.suite import Suite
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue


@pytest.fixture(scope="session")
def running(session_suite: StartSuite) -> Suite:
    return session_suite(preset="media")


@pytest_asyncio.fixture(scope="session")
async def caller(running: Suite) -> AsyncIterator[Caller]:
    """The oracle: our own client, on a suite that has 60 items."""
    async with caller_of(running) as own:
        await own.slate("nobody", await own.upsert(*catalogue()))
        yield own
