"""One suite with an edge before it, for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.suite import Suite
from tests.conftest import StartSuite
from tests.deploy.edge.running_edge import Edge, copy_configuration, running_edge


@pytest.fixture(scope="session")
def running(session_suite: StartSuite) -> Suite:
    return session_suite(preset="media")


@pytest.fixture(scope="session")
def edge(
    running: Suite, tmp_path_factory: pytest.TempPathFactory, guardian: Guardian
) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge") / "run"
    copy_configuration(folder)
    with running_edge(running, folder, guardian) as edge:
        yield edge


@pytest.fixture
def edge_without_ranker(running: Suite, tmp_path: Path, guardian: Guardian) -> Iterator[Edge]:
    folder = tmp_path / "edge"
    copy_configuration(folder)
    (port,) = free_ports(1)
    with running_edge(running, folder, guardian, ranker=f"127.0.0.1:{port}") as edge:
        yield edge
