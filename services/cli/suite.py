"""The processes of Harken on one machine: started in one go, stopped in order, killed at will."""

import concurrent.futures
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal, Self

from services.cli.endpoints import FILE_NAME, Endpoints
from services.cli.first_slate import wait_answers
from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.service_process import (
    ProcessFailedError,
    ProcessSpec,
    ServiceProcess,
    end_together,
)
from services.common.channel_identity import ChannelIdentity
from services.common.listen_check import CannotListenError, check_listen
from services.common.receipts import make_receipt_key

START_SECONDS = 90.0
STOP_SECONDS = 15.0
RECEIPT_KEY = "receipt-key.pem"
"""In the folder: what all processes of a suite sign receipts of erasures with."""
_HOST = "127.0.0.1"
_FIRST_GRPC_PORT = 7401
_FIRST_METRICS_PORT = 9401

Kind = Literal["feedback", "profile", "ranker"]


@dataclass(frozen=True, slots=True)
class SuiteConfig:
    """What to run.

    `folder` gets logs, address files, endpoints.json, a key for receipts, and the
    ledger of erasures. `split_feedback` runs ingest and learner
    as two processes. `fixed_ports` takes 7401 (feedback), 7402 (profile), 7403... (rankers, then
    the learner), metrics 2000 above them; otherwise free ports are taken. `environment` adds
    variables by kind of process, over those of this process. `log_level`, when given, is that of
    all processes. `identity` is that of an operator, where `environment` gives processes
    certificates, and a `health_listen` each.
    """

    folder: Path
    feedback_dsn: str
    profile_dsn: str
    rankers: int = 1
    preset: str = "shopping"
    split_feedback: bool = False
    fixed_ports: bool = False
    log_level: str | None = None
    environment: Mapping[Kind, Mapping[str, str]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    identity: ChannelIdentity | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Ports of one process; it keeps them over restarts."""

    name: str
    kind: Kind
    grpc: str
    metrics: str


class Suite:
    """Runs the processes by name: feedback (or ingest and learner), profile, ranker-1, ranker-2...

    All methods block; call them from a thread when an event loop must go on meanwhile.
    """

    def __init__(self, config: SuiteConfig, guardian: Guardian) -> None:
        self.config = config
        self.folder = config.folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        make_receipt_key(self.folder / RECEIPT_KEY)
        self._guardian = guardian
        self._places = _places(config)
        self.endpoints = self._endpoints()
        self.processes: Mapping[str, ServiceProcess] = MappingProxyType(
            {
                place.name: ServiceProcess(self._spec(place), guardian)
                for place in self._places.values()
            }
        )

    @property
    def metrics_endpoints(self) -> Mapping[str, str]:
        """Where each process serves /metrics: name -> host:port."""
        return {name: place.metrics for name, place in self._places.items()}

    @property
    def grpc_endpoints(self) -> Mapping[str, str]:
        """Where each process serves gRPC: name -> host:port."""
        return {name: place.grpc for name, place in self._places.items()}

    def start_all(self) -> None:
        """Migrate, start all processes and wait until each is ready and slates lack nothing.

        Raises:
            ProcessFailedError: a migration or a process failed, the message ends with its log; or
                an address is taken.

        """
        deadline, identity = time.monotonic() + START_SECONDS, self.config.identity
        self._check_addresses()
        self.migrate()
        for process in self.processes.values():
            process.start()
        with concurrent.futures.ThreadPoolExecutor(len(self.processes)) as threads:
            list(threads.map(lambda process: process.wait_ready(deadline), self.processes.values()))
            answers = [
                threads.submit(
                    wait_answers, self.processes[place.name], place.grpc, deadline, identity
                )
                for place in self._places.values()
                if place.kind == "ranker"
            ]
            for answer in answers:
                answer.result()
        self.endpoints.write(self.folder)

    def migrate(self) -> None:
        """Bring both schemas up to date.

        Raises:
            ProcessFailedError: a migration failed; the message ends with its log.

        """
        deadline = time.monotonic() + START_SECONDS
        migrations = [
            ServiceProcess(
                ProcessSpec(
                    f"migrate-{kind}",
                    f"services.{kind}",
                    self.folder,
                    ("--migrate",),
                    self._environment(kind),
                ),
                self._guardian,
            )
            for kind in _WITH_STORE
        ]
        try:
            for migration in migrations:
                migration.start()
            for migration in migrations:
                migration.wait_end(deadline)
        finally:
            for migration in migrations:
                migration.kill()

    def start(self, name: str) -> None:
        """Start one process, on the ports it had, and wait until it is ready.

        Raises:
            KeyError: there is no process of that name.
            ProcessFailedError: it failed; the message ends with its log.

        """
        process = self.processes[name]
        process.start()
        process.wait_ready(time.monotonic() + START_SECONDS)

    def kill(self, name: str) -> None:
        """End one process by SIGKILL, and wait until it is gone.

        Raises:
            KeyError: there is no process of that name.

        """
        self.processes[name].kill()

    def check(self) -> None:
        """Raise ProcessFailedError when a process has died that was not killed by us."""
        for process in self.processes.values():
            process.check()

    def stop(self) -> None:
        """Stop all processes: those that need others first, each within its grace."""
        (self.folder / FILE_NAME).unlink(missing_ok=True)
        deadline = time.monotonic() + STOP_SECONDS
        for kinds in (("ranker",), ("profile",), ("feedback",)):
            end_together(
                [self.processes[p.name] for p in self._places.values() if p.kind in kinds], deadline
            )

    def __enter__(self) -> Self:
        try:
            self.start_all()
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

    def _check_addresses(self) -> None:
        """Say in one line what processes would say in their logs, one after the other."""
        for place in self._places.values():
            if self.processes[place.name].running:
                continue
            for address in (place.grpc, place.metrics):
                try:
                    check_listen(address)
                except CannotListenError as error:
                    raise ProcessFailedError(f"{place.name} {error}; {_OTHERS}") from error

    def _endpoints(self) -> Endpoints:
        feedback = "ingest" if self.config.split_feedback else "feedback"
        rankers = [place.grpc for place in self._places.values() if place.kind == "ranker"]
        profile = self._places["profile"].grpc
        return Endpoints(self._places[feedback].grpc, profile, tuple(rankers), self.config.identity)

    def _spec(self, place: _Place) -> ProcessSpec:
        role = {"ingest": ("--role", "ingest"), "learner": ("--role", "learner")}
        prefix = f"HARKEN_{place.kind.upper()}_"
        addresses = {
            f"{prefix}LISTEN": place.grpc,
            f"{prefix}METRICS_LISTEN": place.metrics,
            f"{prefix}ADDRESS_FILE": str(self.folder / f"{place.name}.address.json"),
        }
        if place.kind == "ranker":
            addresses["HARKEN_RANKER_REPLICA"] = place.name
        return ProcessSpec(
            place.name,
            f"services.{place.kind}",
            self.folder,
            role.get(place.name, ()),
            {**self._environment(place.kind), **addresses},
        )

    def _environment(self, kind: Kind) -> dict[str, str]:
        ledger, key = str(self.folder / "erasures.jsonl"), str(self.folder / RECEIPT_KEY)
        own = {
            "feedback": {
                "HARKEN_FEEDBACK_DSN": self.config.feedback_dsn,
                "HARKEN_FEEDBACK_PRESET": self.config.preset,
                "HARKEN_FEEDBACK_LEDGER_FILE": ledger,
            },
            "profile": {
                "HARKEN_PROFILE_DSN": self.config.profile_dsn,
                "HARKEN_PROFILE_FEEDBACK_TARGET": self.endpoints.feedback,
                "HARKEN_PROFILE_LEDGER_FILE": ledger,
            },
            "ranker": {
                "HARKEN_RANKER_FEEDBACK_TARGET": self.endpoints.feedback,
                "HARKEN_RANKER_PROFILE_TARGET": self.endpoints.profile,
                "HARKEN_RANKER_PRESET": self.config.preset,
            },
        }[kind]
        wanted = self.config.log_level
        level = {} if wanted is None else {f"HARKEN_{kind.upper()}_LOG_LEVEL": wanted}
        own[f"HARKEN_{kind.upper()}_RECEIPT_KEY_FILE"] = key
        return {**level, **own, **self.config.environment.get(kind, {})}


_OTHERS = (
    "stop what listens there (another `harken up`, perhaps), or use `harken up --ephemeral-ports`"
)
_WITH_STORE: tuple[Kind, ...] = ("feedback", "profile")


def _places(config: SuiteConfig) -> dict[str, _Place]:
    names: list[tuple[str, Kind, int]] = [
        ("ingest" if config.split_feedback else "feedback", "feedback", 0),
        ("profile", "profile", 1),
        *((f"ranker-{i + 1}", "ranker", 2 + i) for i in range(config.rankers)),
    ]  # fmt: skip
    if config.split_feedback:
        names.insert(1, ("learner", "feedback", 2 + config.rankers))
    if config.fixed_ports:
        ports = {
            name: (_FIRST_GRPC_PORT + offset, _FIRST_METRICS_PORT + offset)
            for name, _, offset in names
        }
    else:
        free = free_ports(2 * len(names))
        ports = {name: (free[2 * i], free[2 * i + 1]) for i, (name, _, _) in enumerate(names)}
    return {
        name: _Place(name, kind, f"{_HOST}:{ports[name][0]}", f"{_HOST}:{ports[name][1]}")
        for name, kind, _ in names
    }
