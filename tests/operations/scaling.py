"""Rankers 1 -> 3 -> 1 under traffic; clients learn of them by name, as in Kubernetes.

Every ranker has an address of its own (127.0.0.2 and up) and the same port. The name is that of a
headless Service: what is ready is in it, what is about to end is taken out first. Nothing tells
clients but DNS, which gRPC asks again when a connection ends, at the server's connection age.
"""

import asyncio
import os
import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from tests.operations.fleet import Fleet, FleetConfig
from tests.operations.name_server import NameServer
from tests.operations.traffic import Traffic

RANKERS = ("ranker-1", "ranker-2", "ranker-3")
_SERVED = re.compile(
    r'^harken_rpc_handled_total\{(?=.*method="Recommend")(?=.*code="OK").*\} (.*)$'
)


@dataclass
class Scaled:
    """What was seen."""

    ready_seconds: dict[str, float] = field(default_factory=dict)
    """From the start of a process to its readiness."""
    traffic_seconds: dict[str, float] = field(default_factory=dict)
    """From being in DNS to the first slate."""
    slates: dict[str, int] = field(default_factory=dict)
    """Slates of each ranker while there were three."""


def fleet_of_rankers(
    folder: Path, feedback_dsn: str, profile_dsn: str, age_seconds: float, guardian: Guardian
) -> Fleet:
    """Return a fleet that begins with one ranker of three."""
    [port] = free_ports(1)
    addresses = {name: f"127.0.0.{2 + number}:{port}" for number, name in enumerate(RANKERS)}
    config = FleetConfig(
        folder,
        feedback_dsn,
        profile_dsn,
        roles={"ingest": 1, "learner": 1, "profile": 1, "ranker": len(RANKERS)},
        environment={"ranker": {"HARKEN_RANKER_MAX_CONNECTION_AGE_SECONDS": str(age_seconds)}},
        addresses=addresses,
        later=RANKERS[1:],
    )
    return Fleet(config, guardian)


def target_by_name(names: NameServer, fleet: Fleet) -> str:
    """Return the gRPC target of the rankers' name, asked of that server."""
    port = fleet.addresses[RANKERS[0]].rpartition(":")[2]
    return f"dns://127.0.0.1:{names.port}/ranker.harken.test:{port}"


def announce(names: NameServer, fleet: Fleet, *rankers: str) -> None:
    """Let the name have the addresses of these rankers."""
    names.addresses = [fleet.addresses[name].rpartition(":")[0] for name in rankers]


async def scale(
    fleet: Fleet,
    names: NameServer,
    traffic: Traffic,
    hold_seconds: float,
    report: Callable[[str], None] = lambda _: None,
) -> Scaled:
    """Scale out one by one, hold for a while, and scale in again."""
    seen = Scaled()
    for count in (2, 3):
        name = RANKERS[count - 1]
        traffic.phase = f"start of {name}"
        started = time.monotonic()
        await asyncio.to_thread(fleet.start, name)
        seen.ready_seconds[name] = time.monotonic() - started
        announce(names, fleet, *RANKERS[:count])
        processor = processor_seconds(fleet.processes[name].pid)
        report(
            f"{name} ready {seen.ready_seconds[name]:.1f} s after its start,"
            f" {processor:.1f} s of a processor"
        )
    announced = time.monotonic()
    while len(seen.traffic_seconds) < len(RANKERS) - 1:
        served = await asyncio.to_thread(slates_of, fleet, RANKERS[1:])
        for name, slates in served.items():
            if slates and name not in seen.traffic_seconds:
                seen.traffic_seconds[name] = time.monotonic() - announced
                report(f"{name} got its first slate {seen.traffic_seconds[name]:.1f} s after that")
        assert time.monotonic() - announced < 180, "a new replica gets no traffic"
        await asyncio.sleep(0.1)
    before = await asyncio.to_thread(slates_of, fleet, RANKERS)
    traffic.phase = "three"
    await asyncio.sleep(hold_seconds)
    after = await asyncio.to_thread(slates_of, fleet, RANKERS)
    seen.slates = {name: after[name] - before[name] for name in RANKERS}
    for count in (2, 1):
        traffic.phase = f"end of {RANKERS[count]}"
        announce(names, fleet, *RANKERS[:count])
        # preStop: time in which those who connect now look the name up.
        await asyncio.sleep(1.0)
        await asyncio.to_thread(fleet.terminate, RANKERS[count])
    traffic.phase = "one again"
    await asyncio.sleep(hold_seconds)
    return seen


def processor_seconds(pid: int | None) -> float:
    """Return how much of a processor a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def slates_of(fleet: Fleet, rankers: tuple[str, ...]) -> Mapping[str, int]:
    """Return how many slates each has answered, by its metrics."""
    return {name: _served(fleet.metrics[name]) for name in rankers}


def _served(address: str) -> int:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return sum(int(float(found[1])) for line in lines if (found := _SERVED.match(line)))
