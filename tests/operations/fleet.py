"""The processes of a deployment, each more than once where that is allowed, on one machine.

Processes are known by name: ingest-1, learner-2, profile-1, ranker-3... Each keeps its ports over
restarts, and is told of the others as in a deployment: one gRPC target with all addresses.
"""

import concurrent.futures
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessSpec, ServiceProcess, end_together

START_SECONDS = 90.0
STOP_SECONDS = 15.0
HOST = "127.0.0.1"
CHECKOUT = Path(__file__).resolve().parents[2]
_SERVICES = {"ingest": "feedback", "learner": "feedback", "profile": "profile", "ranker": "ranker"}


@dataclass(frozen=True)
class FleetConfig:
    """What to run. `environment` adds variables by role, over those that a role needs."""

    folder: Path
    feedback_dsn: str
    profile_dsn: str
    roles: Mapping[str, int] = field(
        default_factory=lambda: {"ingest": 2, "learner": 2, "profile": 2, "ranker": 2}
    )
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    root: Path = CHECKOUT
    """Where the code is that processes begin with."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Where some processes listen, by name; the others take free ports."""
    later: Sequence[str] = ()
    """Processes that are not started with the others."""


class Fleet:
    """All methods block; call them from a thread when an event loop must go on meanwhile."""

    def __init__(self, config: FleetConfig, guardian: Guardian) -> None:
        self.config = config
        self._guardian = guardian
        self.folder = config.folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        names = [
            f"{role}-{n + 1}" for role, count in config.roles.items() for n in range(count)
        ]  # fmt: skip
        ports = free_ports(2 * len(names))
        self.addresses = {
            name: config.addresses.get(name, f"{HOST}:{ports[2 * i]}")
            for i, name in enumerate(names)
        }
        self.metrics = {name: f"{HOST}:{ports[2 * i + 1]}" for i, name in enumerate(names)}
        self.processes = {
            name: ServiceProcess(self._spec(name, config.root), guardian) for name in names
        }  # fmt: skip

    def target(self, role: str) -> str:
        """Return one gRPC target for all replicas of a role."""
        return f"ipv4:{','.join(self.addresses[name] for name in self.names(role))}"

    def names(self, *roles: str) -> Sequence[str]:
        """Return the names of the processes of some roles."""
        return [name for name in self.addresses if _role(name) in roles]

    def migrate(self, root: Path = CHECKOUT) -> None:
        """Bring the schemas up to date, with the code of `root`."""
        for service in ("feedback", "profile"):
            process = ServiceProcess(
                ProcessSpec(
                    f"migrate-{service}",
                    f"services.{service}",
                    self.folder,
                    ("--migrate",),
                    self._dsn(service),
                    root,
                ),
                self._guardian,
            )
            process.start()
            process.wait_end(time.monotonic() + START_SECONDS)

    def start(self, *names: str, root: Path | None = None) -> None:
        """Start processes and wait until each is ready; from now on with the code of `root`."""
        for name in names:
            if root is not None:
                self.processes[name] = ServiceProcess(self._spec(name, root), self._guardian)
            self.processes[name].start()
        deadline = time.monotonic() + START_SECONDS
        with concurrent.futures.ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(lambda name: self.processes[name].wait_ready(deadline), names))

    def terminate(self, name: str) -> None:
        """End a process by SIGTERM within its grace; it must end well.

        Raises:
            AssertionError: it had to be killed, or failed.

        """
        process = self.processes[name]
        process.signal(signal.SIGTERM)
        process.reap(time.monotonic() + STOP_SECONDS)
        assert process.exit_code == 0, f"{name}: exit {process.exit_code}\n{process.log_tail()}"

    def stop(self) -> None:
        """End all, those that need others first."""
        deadline = time.monotonic() + STOP_SECONDS
        for roles in (("ranker",), ("profile",), ("learner", "ingest")):
            end_together([self.processes[name] for name in self.names(*roles)], deadline)

    def __enter__(self) -> Self:
        try:
            self.migrate(self.config.root)
            self.start(*(name for name in self.processes if name not in self.config.later))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _dsn(self, service: str) -> dict[str, str]:
        own = {
            "feedback": {"HARKEN_FEEDBACK_DSN": self.config.feedback_dsn},
            "profile": {"HARKEN_PROFILE_DSN": self.config.profile_dsn},
        }
        return own.get(service, {})

    def _spec(self, name: str, root: Path) -> ProcessSpec:
        role = _role(name)
        service = _SERVICES[role]
        prefix = f"HARKEN_{service.upper()}_"
        own = {
            f"{prefix}LISTEN": self.addresses[name],
            f"{prefix}METRICS_LISTEN": self.metrics[name],
            f"{prefix}ADDRESS_FILE": str(self.folder / f"{name}.address.json"),
            **self._dsn(service),
        }
        if service != "feedback":
            own[f"{prefix}FEEDBACK_TARGET"] = self.target("ingest")
        if service == "ranker":
            own |= {f"{prefix}PROFILE_TARGET": self.target("profile"), f"{prefix}REPLICA": name}
        arguments = ("--role", role) if service == "feedback" else ()
        settings = self.config.environment.get(role, {})
        return ProcessSpec(
            name,
            f"services.{service}",
            self.folder,
            arguments,
            {**own, **settings},
            root,
        )


def _role(name: str) -> str:
    return name.rpartition("-")[0]
