"""What tests of commands share."""

from collections.abc import AsyncIterator

import pytest

from services.cli.endpoints import Endpoints
from tests.cli.scripted_suite import ScriptedSuite, serving


@pytest.fixture
async def endpoints(suite: ScriptedSuite) -> AsyncIterator[Endpoints]:
    """Where the scripted suite of the test's module is served."""
    async with serving(suite) as found:
        yield found
