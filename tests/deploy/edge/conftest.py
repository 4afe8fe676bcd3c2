"""One suite with an edge before it, for all tests of this folder."""

from collections.abc import Callable, Iterator

import pytest

from services.cli.guardian import Guardian
from services.cli.suite import Suite, SuiteConfig
from tests.conftest import FreshDatabase
from tests.deploy.edge.running_edge import Edge, copy_configuration, running_edge


@pytest.fixture(scope="session")
def running(
    new_database: Callable[[], FreshDatabase],
    tmp_path_factory: pytest.TempPathFactory,
    guardian: Guardian,
) -> Iterator[Suite]:
    database = new_database()
    folder = tmp_path_factory.mktemp("edge-suite")
    config = SuiteConfig(folder, database.feedback_dsn, database.profile_dsn, preset="media")
    with Suite(config, guardian) as suite:
        yield suite


@pytest.fixture(scope="session")
def edge(
    running: Suite, tmp_path_factory: pytest.TempPathFactory, guardian: Guardian
) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge") / "run"
    copy_configuration(folder)
    with running_edge(running, folder, guardian) as edge:
        yield edge
