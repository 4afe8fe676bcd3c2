"""The services run from the prefixes of their images, with nothing else there, and are small."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harken.feedback.v1 import item_pb2
from services.cli.clients import connect
from services.cli.endpoints import Endpoints
from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.common.server import LIVENESS
from tests.conftest import FreshDatabase
from tests.deploy.image_parts import SERVICES, command_of
from tests.deploy.prefix import MEGABYTES, UID, BareRoot, build, bytes_of, why_not
from tests.end_to_end.clients import Caller, event
from tests.postgres_over_tcp import over_tcp
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    os.environ.get("HARKEN_TEST_IMAGES") != "1",
    reason="builds three prefixes, which takes minutes: HARKEN_TEST_IMAGES=1 asks for it",
)


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A prefix per service, as in its image."""
    folder = tmp_path_factory.mktemp("prefixes")
    found = {}
    for service in SERVICES:
        found[service] = folder / service / "opt"
        found[service].parent.mkdir()
        build(service, found[service])
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_prefix_is_small(prefixes: Mapping[str, Path], service: str) -> None:
    assert bytes_of(prefixes[service]) <= MEGABYTES[service] * 1_000_000


@pytest.mark.parametrize("service", SERVICES)
def test_a_prefix_holds_only_what_runs(prefixes: Mapping[str, Path], service: str) -> None:
    prefix = prefixes[service]
    programs = {path.name for path in (prefix / "bin").iterdir()} - {"python", "python3"}
    assert {name for name in programs if not name.startswith("python3.")} == (
        set() if service == "ranker" else {"dbmate"}
    )
    (site,) = prefix.glob("lib/python3*/site-packages")
    assert {path.name for path in (site / "services").iterdir() if path.is_dir()} - {
        "__pycache__"
    } == {"common", "feed", service}
    gone = ("pip", "setuptools", "pytest", "torch")
    assert not any((site / name).exists() for name in gone)
    assert not list(site.rglob("*.pyi"))
    assert not [path for path in site.rglob("tests") if path.is_dir()]
    # Nothing can be written at run time: byte code is there already.
    sources = sum(1 for _ in site.rglob("*.py"))
    assert sum(1 for _ in site.rglob("*.pyc")) >= 0.99 * sources


def test_an_image_with_the_extra_can_send_traces(tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    build("profile", prefix, "otel")
    program = (
        "from services.common import tracing_otel;"
        "from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter;"
        "OTLPSpanExporter(endpoint='http://127.0.0.1:1', insecure=True).shutdown()"
    )
    done = subprocess.run(
        [str(prefix / "bin" / "python"), "-I", "-c", program], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert bytes_of(prefix) <= MEGABYTES["profile"] * 1_000_000


class Images:
    """One process per image, each in a bare root of its own."""

    def __init__(self, prefixes: Mapping[str, Path], folder: Path, guardian: Guardian) -> None:
        self._prefixes = prefixes
        self._roots = {
            service: BareRoot(folder / f"root-{service}", prefix, guardian)
            for service, prefix in prefixes.items()
        }
        self._folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, service: str) -> list[str]:
        program, *arguments = command_of(service)
        return [program.replace("/opt/harken", str(self._prefixes[service])), *arguments]

    def python(self, service: str, program: str) -> str:
        """Run a program in the root of a service; fails with what it says on standard error."""
        return self._roots[service].run([self.command(service)[0], "-c", program], {})

    def migrate(self, service: str, variables: Mapping[str, str]) -> None:
        self._roots[service].run([*self.command(service), "--migrate"], variables)

    def start(self, service: str, variables: Mapping[str, str]) -> None:
        self.running[service] = self._roots[service].start(
            self.command(service), variables, self._log(service)
        )

    def said(self, service: str) -> str:
        return self._log(service).read_text()

    def stop(self) -> dict[str, int]:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(20) for name, process in self.running.items()}

    def _log(self, service: str) -> Path:
        return self._folder / f"{service}.log"


@pytest.fixture
def images(
    prefixes: Mapping[str, Path], tmp_path: Path, guardian: Guardian
) -> Iterator[Images]:  # fmt: skip
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    started = Images(prefixes, tmp_path, guardian)
    yield started
    for process in started.running.values():
        process.kill()
        process.wait()


def test_a_bare_root_is_bare(images: Images) -> None:
    """Otherwise the next test would prove less than it says."""
    program = (
        "import os, pathlib; print(os.getuid(), os.path.exists('/bin'), os.path.exists('/usr'));"
        "pathlib.Path('/tmp/x').write_text('')"
    )
    with pytest.raises(AssertionError, match="Read-only file system"):
        images.python("ranker", program)
    assert images.python("ranker", program.split(";pathlib")[0]) == f"{UID} False False\n"


async def test_the_suite_runs_from_its_images(images: Images, database: FreshDatabase) -> None:
    """Truth 8, from RecordEvents to the slate, without a shell, root or a file to write to."""
    ports = free_ports(6)
    listens = {service: f"127.0.0.1:{ports[n]}" for n, service in enumerate(SERVICES)}
    async with (
        over_tcp(database.feedback_dsn) as feedback_dsn,
        over_tcp(database.profile_dsn) as profile_dsn,
    ):
        variables = {
            "feedback": {"DSN": feedback_dsn, "PRESET": "media"},
            "profile": {"DSN": profile_dsn, "FEEDBACK_TARGET": listens["feedback"]},
            "ranker": {
                "FEEDBACK_TARGET": listens["feedback"],
                "PROFILE_TARGET": listens["profile"],
                "PRESET": "media",
            },
        }
        for service in ("feedback", "profile"):
            named = _named(service, variables[service])
            await asyncio.to_thread(images.migrate, service, named)
        for n, service in enumerate(SERVICES):
            own = {"LISTEN": listens[service], "METRICS_LISTEN": f"127.0.0.1:{ports[3 + n]}"}
            images.start(service, _named(service, {**variables[service], **own}))
        for service in SERVICES:
            await _until_serving(listens[service], "", images, service)
            await _until_serving(listens[service], LIVENESS, images, service)
        endpoints = Endpoints(listens["feedback"], listens["profile"], (listens["ranker"],))
        async with connect(endpoints) as clients:
            caller = Caller(clients, None)
            items = [item_pb2.Item(item_id=f"i{n}", categories=["c"]) for n in range(5)]
            await caller.upsert(*items)
            position = await caller.record(event("e1", "ann", "i3"))
            slots = await caller.items("ann", position)
            assert "i3" not in slots
            assert len(slots) == 4
            await caller.profile("ann", position)
        assert await asyncio.to_thread(images.stop) == dict.fromkeys(SERVICES, 0)
    for service in SERVICES:
        assert "Traceback" not in images.said(service)
        assert '"error"' not in images.said(service)


def _named(service: str, variables: Mapping[str, str]) -> dict[str, str]:
    return {f"HARKEN_{service.upper()}_{name}": value for name, value in variables.items()}


async def _until_serving(address: str, name: str, images: Images, service: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)

        async def serving() -> bool:
            assert images.running[service].poll() is None, images.said(service)
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=1)
            except grpc.aio.AioRpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

        await until(serving, f"{service} to serve", 60)
