"""A migrated database, a scripted feedback service, and the profile service between them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from services.common.migrations import migrate
from services.profile.process import MIGRATIONS, SCHEMA
from tests.conftest import FreshDatabase
from tests.profile.script import Script
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService


@pytest.fixture
def dsn(database: FreshDatabase) -> str:
    """DSN of a database with our tables in it."""
    migrate(database.profile_dsn, SCHEMA, MIGRATIONS)
    return database.profile_dsn


@pytest_asyncio.fixture
async def feedback() -> AsyncIterator[ScriptedFeedback]:
    service = ScriptedFeedback()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def script() -> Script:
    return Script()


StartService = Callable[..., Awaitable[LocalService]]
"""Takes how many seconds entries gather, if not as usual in tests."""


@pytest_asyncio.fixture
async def start_service(
    tmp_path: Path, dsn: str, feedback: ScriptedFeedback
) -> AsyncIterator[StartService]:
    """Start services in this process; they are stopped after the test."""
    started: list[LocalService] = []

    async def start(gather_seconds: float = 0.05) -> LocalService:
        folder = tmp_path / f"service-{len(started)}"
        folder.mkdir()
        service = await LocalService.start(folder, dsn, feedback.target, gather_seconds)
        started.append(service)
        return service

    yield start
    for service in started:
        await service.stop()


@pytest_asyncio.fixture
async def service(start_service: StartService) -> LocalService:
    """One service, ready."""
    service = await start_service()
    await service.wait_until_ready()
    return service
