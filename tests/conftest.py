"""Shared fixtures: a real PostgreSQL, fresh databases on it, and suites of real processes."""

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import settings

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from services.cli.suite import Suite, SuiteConfig

# Cores are shared, so how long an example takes says nothing. In CI all runs try the same ones.
settings.register_profile(
    "harken", deadline=None, derandomize=os.environ.get("CI", "").lower() == "true"
)
settings.load_profile("harken")


@dataclass(frozen=True)
class FreshDatabase:
    """An empty database that all roles may use, as after the first start of a deployment."""

    name: str
    feedback_dsn: str
    profile_dsn: str
    keys_dsn: str
    admin_dsn: str


@pytest.fixture(scope="session")
def guardian() -> Iterator[Guardian]:
    """Stops all processes of the session, even when pytest is killed."""
    guardian = Guardian()
    yield guardian
    guardian.close()


@pytest.fixture(scope="session")
def postgres(
    guardian: Guardian, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedPostgres]:
    """One server for the session. Without fsync: tests kill processes, not the machine."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), guardian, durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def new_database(postgres: EmbeddedPostgres) -> Callable[[], FreshDatabase]:
    """Factory of databases, each empty and of its own name; they go with the server."""
    numbers = itertools.count(1)

    def create() -> FreshDatabase:
        name = f"harken_{next(numbers)}"
        postgres.create_database(name)
        return FreshDatabase(
            name,
            postgres.dsn("harken_feedback", name),
            postgres.dsn("harken_profile", name),
            postgres.dsn("harken_keys", name),
            postgres.dsn("postgres", name),
        )

    return create


@pytest.fixture
def database(new_database: Callable[[], FreshDatabase]) -> FreshDatabase:
    """A database for one test."""
    return new_database()


@pytest.fixture(scope="module")
def module_database(new_database: Callable[[], FreshDatabase]) -> FreshDatabase:
    """A database for the tests of one module."""
    return new_database()


@pytest_asyncio.fixture
async def admin(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to the test's database."""
    connection = await asyncpg.connect(database.admin_dsn)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def module_admin(module_database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to the module's database."""
    connection = await asyncpg.connect(module_database.admin_dsn)
    yield connection
    await connection.close()


StartSuite = Callable[..., Suite]


def _suite_starter(
    stack: ExitStack, folder: Path, database: FreshDatabase, guardian: Guardian
) -> StartSuite:
    numbers = itertools.count(1)

    def start(**options: Any) -> Suite:
        config = SuiteConfig(
            folder / f"suite-{next(numbers)}",
            database.feedback_dsn,
            database.profile_dsn,
            **options,
        )
        return stack.enter_context(Suite(config, guardian))

    return start


@pytest.fixture
def suite(database: FreshDatabase, guardian: Guardian, tmp_path: Path) -> Iterator[StartSuite]:
    """Start a suite on the test's database: suite(rankers=3, preset="media", ...).

    Options are those of SuiteConfig. What was started is stopped after the test.
    """
    with ExitStack() as stack:
        yield _suite_starter(stack, tmp_path, database, guardian)


@pytest.fixture(scope="module")
def module_suite(
    module_database: FreshDatabase,
    guardian: Guardian,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StartSuite]:
    """Start a suite that lives as long as the tests of one module; as `suite` otherwise."""
    with ExitStack() as stack:
        yield _suite_starter(stack, tmp_path_factory.mktemp("suite"), module_database, guardian)


@pytest.fixture(scope="session")
def session_suite(
    new_database: Callable[[], FreshDatabase],
    guardian: Guardian,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StartSuite]:
    """Start suites that live as long as the session, each on a database of its own."""
    with ExitStack() as stack:

        def start(**options: Any) -> Suite:
            folder = tmp_path_factory.mktemp("suite")
            return _suite_starter(stack, folder, new_database(), guardian)(**options)

        yield start
