# ruff: noqa: T201 - a command, too
"""One of two ranker hosts loses the feed for a while; clients still reach it.

    python -m tests.operations.partition [--seconds 60] [--silence 10]

Four hosts (network namespaces): feedback, profile and two rankers; the client is a fifth. Prints
what was seen, and ends with code 0 when all of this held: during the cut the ranker answers every
call, says `stale` when asked for what it cannot know, refuses it when asked strictly, and loses
its readiness after `silence` seconds; the other one is not touched; after the cut it is ready
again by itself, and both have one digest at one version.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2, feedback_service_pb2
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessSpec, ServiceProcess
from services.common.channels import ACCEPTING, open_channel
from services.common.migrations import migrate
from tests.operations.fleet import CHECKOUT
from tests.operations.hosts import CLIENTS, FEED, Hosts, alone
from tests.operations.traffic import Traffic, traffic_to
from tests.waiting import until

RANKERS = ("ranker-1", "ranker-2")
CUT = "ranker-2"
RATE = 20.0
_SERVING = health_pb2.HealthCheckResponse.SERVING


class Ranker:
    """Calls of one replica."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)
        self._health: Any = health_pb2_grpc.HealthStub(channel)

    async def slate(
        self, position: bytes = b"", *, strict: bool = False, seconds: float = 5.0
    ) -> ranker_service_pb2.RecommendResponse:
        """Return a slate; wait `seconds` for the position."""
        request = ranker_service_pb2.RecommendRequest(
            subject=subject_pb2.Subject(user_id="user-1"),
            count=10,
            min_position=position,
            strict=strict,
        )
        request.wait_budget.FromMilliseconds(int(seconds * 1e3))
        answer: ranker_service_pb2.RecommendResponse = await self._stub.Recommend(
            request, timeout=10
        )
        return answer

    async def serving(self, name: str = "") -> bool:
        """Return whether health says SERVING for a name."""
        request = health_pb2.HealthCheckRequest(service=name)
        return bool((await self._health.Check(request, timeout=5)).status == _SERVING)

    async def state(self) -> tuple[int, bytes]:
        """Return version and digest."""
        request = ranker_service_pb2.GetServingStateRequest()
        state = await self._stub.GetServingState(request, timeout=5)
        return state.version, state.tenants[0].digest


async def newest(traffic: Traffic, number: int) -> bytes:
    """Record an event; return its position."""
    event = event_pb2.Event(
        event_id=f"probe-{number}",
        subject=subject_pb2.Subject(user_id="user-1"),
        item_id=f"item-{number % 50}",
        type="view",
    )
    request = feedback_service_pb2.RecordEventsRequest(events=[event])
    return bytes((await traffic.feedback.RecordEvents(request, timeout=10)).position)


async def observe(
    hosts: Hosts, traffic: Traffic, rankers: dict[str, Ranker], seconds: float, silence: float
) -> None:
    """Cut, look, heal, look."""
    cut, other = rankers[CUT], rankers[RANKERS[0]]
    for ranker in rankers.values():
        assert not (await ranker.slate(await newest(traffic, 0))).stale
    hosts.cut(CUT, FEED)
    began = time.monotonic()
    stale = refused = answered = 0
    unready: float | None = None
    number = 0
    while time.monotonic() - began < seconds:
        number += 1
        position = await newest(traffic, number)
        assert not (await other.slate(position)).stale, "the other one must not be touched"
        assert (await cut.slate()).slots, "it must serve what it has"
        answered += 1
        lacking = await cut.slate(position, seconds=0.1)
        stale += lacking.stale
        assert lacking.stale, "it must say that it lacks an event"
        assert lacking.slots
        try:
            await cut.slate(position, strict=True, seconds=0.1)
        except grpc.aio.AioRpcError as error:
            refused += error.code() == grpc.StatusCode.UNAVAILABLE
        if unready is None and not await cut.serving():
            unready = time.monotonic() - began
        assert await other.serving()
        assert await cut.serving(ACCEPTING), "clients may go on asking it"
        await asyncio.sleep(0.1)
    print(
        f"cut for {seconds:.0f} s: {answered} plain slates served, {stale} of {number} slates that"
        f" named a newer event were stale, {refused} strict ones refused"
    )
    assert refused == number
    assert unready is not None, "it must lose its readiness"
    print(f"readiness lost after {unready:.1f} s (bound {silence:.0f} s)")
    assert silence - 1.5 < unready < silence + 5.0
    hosts.heal(CUT, FEED)
    healed = time.monotonic()
    position = await newest(traffic, number + 1)

    async def caught_up() -> bool:
        return not (await cut.slate(position, seconds=0.1)).stale and await cut.serving()

    await until(caught_up, "the ranker to resume", 30)
    print(f"ready and up to date {time.monotonic() - healed:.2f} s after healing")


async def check_converged(rankers: dict[str, Ranker]) -> None:
    """Truth 6: same version, same digest."""

    async def agree() -> bool:
        states = {await ranker.state() for ranker in rankers.values()}
        return len(states) == 1

    await until(agree, "one digest at one version", 20)
    version, digest = await next(iter(rankers.values())).state()
    print(f"both rankers: version {version}, digest {digest.hex()[:16]}")


async def run(hosts: Hosts, targets: dict[str, str], seconds: float, silence: float) -> None:
    """Do it under steady traffic."""
    ranker_target = f"ipv4:{','.join(targets[name] for name in RANKERS)}"
    async with contextlib.AsyncExitStack() as stack:
        rankers = {
            name: Ranker(await stack.enter_async_context(open_channel(targets[name])))
            for name in RANKERS
        }
        traffic = await stack.enter_async_context(
            traffic_to(targets["feedback"], ranker_target, targets["profile"], items=200, users=50)
        )
        await traffic.fill()
        stop = asyncio.Event()
        sending = asyncio.create_task(traffic.run(RATE, RATE, stop))
        await observe(hosts, traffic, rankers, seconds, silence)
        stop.set()
        await sending
        assert not traffic.account.failed, traffic.account.failed[:3]
        print(f"meanwhile {traffic.account.latency()}")
        await check_converged(rankers)


def processes(
    hosts: Hosts, server: EmbeddedPostgres, folder: Path, silence: float, guardian: Guardian
) -> tuple[list[ServiceProcess], dict[str, str]]:
    """Return a process per host, and where each serves."""
    targets = {
        "feedback": f"{hosts.address('feedback', FEED)}:7401",
        "profile": f"{hosts.address('profile', CLIENTS)}:7402",
        **{name: f"{hosts.address(name, CLIENTS)}:7403" for name in RANKERS},
    }
    own = {
        "feedback": {"DSN": server.dsn("harken_feedback"), "DIMENSION": "16"},
        "profile": {"DSN": server.dsn("harken_profile"), "FEEDBACK_TARGET": targets["feedback"]},
        "ranker": {
            "FEEDBACK_TARGET": targets["feedback"],
            "PROFILE_TARGET": targets["profile"],
            "MAX_SILENCE_SECONDS": str(silence),
        },
    }
    made = []
    for name, target in targets.items():
        service = name.partition("-")[0]
        settings = {
            **own[service],
            "LISTEN": target,
            "METRICS_LISTEN": "127.0.0.1:0",
            "ADDRESS_FILE": str(folder / f"{name}.address.json"),
        }
        environment = {f"HARKEN_{service.upper()}_{key}": one for key, one in settings.items()}
        module = "tests.operations.in_namespace"
        spec = ProcessSpec(name, module, folder, (name, f"services.{service}"), environment)
        made.append(ServiceProcess(spec, guardian))
    return made, targets


def inside(seconds: float, silence: float) -> None:
    """Build the hosts, start the processes, and observe."""
    hosts = Hosts(("feedback", "profile", *RANKERS))
    guardian = Guardian()
    with tempfile.TemporaryDirectory(prefix="harken-hosts-") as name, contextlib.ExitStack() as end:
        end.callback(guardian.close)
        folder = Path(name)
        server = end.enter_context(EmbeddedPostgres(folder / "pg", guardian, durable=False))
        for service in ("feedback", "profile"):
            migrations = CHECKOUT / "services" / service / "migrations"
            migrate(server.dsn(f"harken_{service}"), service, migrations)
        made, targets = processes(hosts, server, folder, silence, guardian)
        for process in made:
            end.callback(process.kill)
            process.start()
        for process in made:
            process.wait_ready(time.monotonic() + 90)
        asyncio.run(run(hosts, targets, seconds, silence))


def main() -> None:
    """Go into namespaces of our own, then do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--silence", type=float, default=10.0)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(given.seconds, given.silence)
        return
    again = ["--inside", "--seconds", str(given.seconds), "--silence", str(given.silence)]
    command = alone("tests.operations.partition", *again)
    stubs = str(CHECKOUT / "protos" / "gen")
    path = os.pathsep.join([stubs, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
