"""A real Envoy with the configuration of deploy/edge, before a suite on this machine."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.suite import Suite
from tests.deploy.edge.binaries import required

DEPLOYED = Path(__file__).resolve().parents[3] / "deploy" / "edge"
_FILES = (
    "envoy.yaml", "certificate.yaml", "harken.binpb", "request_check.lua", "request_schema.lua",
)  # fmt: skip
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP call was answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Edge:
    """Where it listens; `folder` holds config/, tls/ and edge.log."""

    folder: Path
    port: int
    operations_port: int
    process: subprocess.Popen[bytes]

    @property
    def certificate(self) -> Path:
        return self.folder / "tls" / "tls.crt"

    @property
    def target(self) -> str:
        """The gRPC target, a name that the certificate has."""
        return f"localhost:{self.port}"

    def tls(self) -> ssl.SSLContext:
        """Return a context that trusts the edge's certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """POST a JSON body (a str is sent as it is) over HTTP/1.1 and TLS."""
        text = body if isinstance(body, str) else json.dumps(body)
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=30, context=self.tls()
        )
        with contextlib.closing(connection):
            connection.request("POST", path, text.encode(), sent)
            return _answer(connection.getresponse())

    def operations(self, path: str, method: str = "GET") -> Answer:
        """Call the listener of probes and metrics."""
        connection = http.client.HTTPConnection("127.0.0.1", self.operations_port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path)
            return _answer(connection.getresponse())

    def access_log(self) -> list[dict[str, Any]]:
        """Return the entries of the access log so far."""
        lines = (self.folder / "edge.log").read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if "rpc" in entry]


def _answer(response: http.client.HTTPResponse) -> Answer:
    text = response.read().decode()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)


def copy_configuration(folder: Path, access: bool = False) -> Path:
    """Copy what is deployed to `folder`/config, for `running_edge`, and return that.

    `access`: with the component for services that ask who calls; then `folder`/client and
    `folder`/jwks are needed, too.
    """
    config = folder / "config"
    config.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(DEPLOYED / name, config / name)
    if access:
        for name in ("envoy.yaml", "client_certificate.yaml", "authorities.yaml"):
            shutil.copy(DEPLOYED / "access" / name, config / name)
    return config


@contextlib.contextmanager
def running_edge(
    suite: Suite,
    folder: Path,
    guardian: Guardian,
    *,
    drain_seconds: int = 15,
    ranker: str = "",
) -> Iterator[Edge]:
    """Run the edge before a suite, with `folder`/config, until the block ends.

    `ranker` replaces the address of the suite's.
    """
    port, operations_port, admin_port = free_ports(3)
    addresses = [
        ("0.0.0.0, port_value: 8443", f"127.0.0.1, port_value: {port}"),
        ("0.0.0.0, port_value: 9902", f"127.0.0.1, port_value: {operations_port}"),
        ("port_value: 9901", f"port_value: {admin_port}"),
        ("harken-ranker-all, port_value: 7403", _address(ranker or suite.endpoints.rankers[0])),
        ("harken-feedback, port_value: 7401", _address(suite.endpoints.feedback)),
        ("harken-profile, port_value: 7402", _address(suite.endpoints.profile)),
    ]
    path = folder / "config" / "envoy.yaml"
    configuration = path.read_text()
    for deployed, here in addresses:
        assert deployed in configuration, f"{deployed} is not in envoy.yaml any more"
        configuration = configuration.replace(deployed, here)
    path.write_text(configuration)
    make_certificate(folder / "tls")
    with (folder / "edge.log").open("wb") as log:
        process = subprocess.Popen(
            [required("envoy"), "-c", "envoy.yaml", "--concurrency", "1",
             "--log-level", "warning", "--disable-hot-restart",
             "--file-flush-interval-msec", "100", "--drain-time-s", str(drain_seconds)],
            cwd=folder / "config",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )  # fmt: skip
    guardian.watch(process.pid)
    edge = Edge(folder, port, operations_port, process)
    try:
        _wait_ready(edge)
        yield edge
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        guardian.forget(process.pid)


def make_certificate(folder: Path) -> None:
    """Write tls.crt and tls.key for localhost, replacing both in one step as Kubernetes does.

    A mounted Secret is a folder of links through `..data`, which is what is replaced.
    """
    folder.mkdir(exist_ok=True)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    subprocess.run(
        [required("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(version / "tls.key"), "-out", str(version / "tls.crt")],
        check=True,
        capture_output=True,
    )  # fmt: skip
    link = folder / "..data.new"
    link.symlink_to(version.name)
    link.replace(folder / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


def _address(target: str) -> str:
    host, _, port = target.rpartition(":")
    return f"{host}, port_value: {port}"


def _wait_ready(edge: Edge) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        log = (edge.folder / "edge.log").read_text()
        assert edge.process.poll() is None, f"envoy died:\n{log}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            if edge.operations("/ready").status == http.HTTPStatus.OK:
                return
        assert time.monotonic() < deadline, f"envoy is not ready:\n{log}"
        time.sleep(0.02)
