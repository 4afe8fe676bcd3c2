"""One process of the suite: `python -m services.<x>`, its log, its addresses, its readiness."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import services
from services.cli.guardian import Guardian

_ROOT = Path(services.__file__).resolve().parents[1]
_POLL_SECONDS = 0.02
_LOG_TAIL_LINES = 25


class ProcessFailedError(Exception):
    """A process died or did not become ready; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run. Configuration goes through the environment only."""

    name: str
    module: str
    folder: Path
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path = _ROOT
    """Where the code is; another release may run beside this one."""


class ServiceProcess:
    """Starts, watches and stops one process, any number of times."""

    def __init__(self, spec: ProcessSpec, guardian: Guardian) -> None:
        self.spec = spec
        self._guardian = guardian
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0

    @property
    def log_file(self) -> Path:
        """Where its standard output and error go, over all its starts."""
        return self.spec.folder / f"{self.spec.name}.log"

    @property
    def pid(self) -> int | None:
        """Process id, None when it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it lives, or when it was never started."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start the process; `wait_ready` says when it serves."""
        if self.running:
            return
        self.address_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self._log_begins = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.spec.module, *self.spec.arguments],
                cwd=self.spec.root,
                env=environment_of(self.spec.environment, self.spec.root),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us; we stop the others in their order.
                start_new_session=True,
            )
        self._guardian.watch(self._process.pid)

    def wait_ready(self, deadline: float) -> None:
        """Wait until gRPC health says SERVING.

        Raises:
            ProcessFailedError: it died, or is not ready at `deadline` (time.monotonic).

        """
        address = self._wait_address(deadline)
        with grpc.insecure_channel(address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            while not _serving(stub):
                self.check_alive(deadline)
                time.sleep(_POLL_SECONDS)

    def wait_end(self, deadline: float) -> None:
        """Wait until the process has ended by itself.

        Raises:
            ProcessFailedError: it ended with another code than 0, or not before `deadline`.

        """
        assert self._process is not None
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ProcessFailedError(self._failure("does not end")) from None
        self._guardian.forget(self._process.pid)
        if code != 0:
            raise ProcessFailedError(self._failure(f"failed with exit code {code}"))

    def signal(self, number: int) -> None:
        """Send a signal to the process and its children; none is fine."""
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it at once, by SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.reap(time.monotonic() + 10.0)

    def reap(self, deadline: float) -> None:
        """Wait until it is gone, and kill it when it is not at `deadline`."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait()
        self._guardian.forget(self._process.pid)

    @property
    def address_file(self) -> Path:
        """Where it writes its addresses."""
        return self.spec.folder / f"{self.spec.name}.address.json"

    def log_tail(self) -> str:
        """Return the last lines of its log since the last start."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_begins)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:]) or "(the log is empty)"

    def check(self) -> None:
        """Raise ProcessFailedError when it was started and has died."""
        if self._process is not None and not self.running:
            raise ProcessFailedError(self._failure(f"died with exit code {self.exit_code}"))

    def check_alive(self, deadline: float) -> None:
        """Raise ProcessFailedError when it has died, or `deadline` (time.monotonic) has passed."""
        self.check()
        if time.monotonic() > deadline:
            raise ProcessFailedError(self._failure("is not ready in time"))

    def _wait_address(self, deadline: float) -> str:
        while not self.address_file.exists():
            self.check_alive(deadline)
            time.sleep(_POLL_SECONDS)
        addresses = json.loads(self.address_file.read_text())
        # A server that speaks TLS has a port of its own for health.
        return str(addresses.get("health", addresses["grpc"]))

    def _failure(self, what: str) -> str:
        return f"{self.spec.name} {what}; the end of {self.log_file}:\n{self.log_tail()}"


def _serving(stub: Any) -> bool:
    try:
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def end_together(processes: Sequence[ServiceProcess], deadline: float) -> None:
    """Ask processes to stop and wait for them; those that go on at `deadline` are killed."""
    for process in processes:
        process.signal(signal.SIGTERM)
    for process in processes:
        process.reap(deadline)


def environment_of(own: Mapping[str, str], root: Path = _ROOT) -> dict[str, str]:
    """Return our environment with `own` over it, in which services of `root` find their stubs."""
    environment = {**os.environ, **own}
    stubs = root / "protos" / "gen"
    if stubs.is_dir():
        # Run from a checkout that nobody installed.
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(stubs), *([known] if known else [])])
    return environment
