"""One suite with a catalogue, for all clients."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from services.cli.guardian import Guardian
from services.cli.suite import Suite, SuiteConfig
from tests.conftest import FreshDatabase
from tests.end_to_end.clients import Caller, caller_of, catalogue


@pytest.fixture(scope="session")
def running(
    new_database: Callable[[], FreshDatabase],
    tmp_path_factory: pytest.TempPathFactory,
    guardian: Guardian,
) -> Iterator[Suite]:
    database = new_database()
    folder = tmp_path_factory.mktemp("clients-suite")
    config = SuiteConfig(folder, database.feedback_dsn, database.profile_dsn, preset="media")
    with Suite(config, guardian) as suite:
        yield suite


@pytest_asyncio.fixture(scope="session")
async def caller(running: Suite) -> AsyncIterator[Caller]:
    """The oracle: our own client, on a suite that has 60 items."""
    async with caller_of(running) as own:
        await own.slate("nobody", await own.upsert(*catalogue()))
        yield own
