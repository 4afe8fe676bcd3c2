"""How soon the suite is back after a SIGKILL, and what grows in it while it runs.

Its bias: one machine, and whoever restarts a process does so at once; a time includes that the
process starts anew. A call that fails is tried again every 20 ms, by a client that tries to connect
every 100 ms, as deploy/clients.md recommends: both are in the times.
"""

import asyncio
import contextlib
import itertools
import math
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path

import grpc

from harken.ranker.v1 import ranker_service_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.suite import Suite, SuiteConfig
from services.common.errors import StoreUnavailableError
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.benchmarks.numbers.table import Number
from tests.end_to_end.clients import Caller, caller_of, catalogue, event, user
from tests.waiting import until

ITEMS = 60
_MIB = 1 << 20
_PAUSE_SECONDS = 0.02
_CALL_SECONDS = 0.5
_LOAD_EVENTS, _LOAD_SLATES = 50.0, 12.0
"""A second, by other clients, while processes are killed."""


@contextlib.contextmanager
def _running() -> Iterator[tuple[EmbeddedPostgres, Suite]]:
    with fresh_postgres() as (folder, postgres, guardian):
        config = SuiteConfig(
            folder / "suite",
            postgres.dsn("harken_feedback"),
            postgres.dsn("harken_profile"),
            preset="media",
            split_feedback=True,
        )
        with Suite(config, guardian) as suite:
            yield postgres, suite


def recovery(kills: int = 10) -> Iterator[Number]:
    """Kill each service, and PostgreSQL, so often under load; say how long calls failed."""
    with _running() as (postgres, suite):
        found = asyncio.run(_recovered(postgres, suite, kills))
    for name, seconds in found.items():
        worst_allowed = 5.0 if name == "postgres" else 3.0
        median, worst = statistics.median(seconds), max(seconds)
        yield Number(
            f"recovery, SIGKILL of {name} under load to first OK, median and worst",
            f"<= 1 s, {worst_allowed:.0f} s",
            f"{median:.2f} s, {worst:.2f} s of {len(seconds)}",
            median <= 1.0 and worst <= worst_allowed,
            {"seconds": seconds},
        )


async def _recovered(
    postgres: EmbeddedPostgres, suite: Suite, kills: int
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    numbers = itertools.count()
    async with caller_of(suite) as caller:
        await _begin(caller)

        async def ingest() -> None:
            name = f"recovery-{next(numbers)}"
            await caller.record(event(name, name, "space-0"))

        async def profile() -> None:
            await caller.profile("somebody", b"")

        async def ranker() -> None:
            await _slate(caller)

        calls = {"ingest": ingest, "profile": profile, "ranker-1": ranker, "postgres": ingest}
        async with _load(suite):
            for name, call in calls.items():
                await _first_ok(call)
                found[name] = []
                for _ in range(kills):
                    began = time.monotonic()
                    starting = await _kill(postgres, suite, name)
                    await _first_ok(call)
                    found[name].append(time.monotonic() - began)
                    await starting
    return found


async def _kill(postgres: EmbeddedPostgres, suite: Suite, name: str) -> asyncio.Task[None]:
    """Kill a process; return the task that starts it again."""
    if name == "postgres":
        killed = postgres.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        starting = asyncio.create_task(asyncio.to_thread(postgres.start))
        # Its orphans may answer for a moment.
        await until(lambda: postgres.pid not in (None, killed), "PostgreSQL to start", 60)
        return starting
    await asyncio.to_thread(suite.kill, name)
    return asyncio.create_task(asyncio.to_thread(suite.start, name))


@contextlib.asynccontextmanager
async def _load(suite: Suite) -> AsyncIterator[None]:
    """Record events and ask for slates all the while; calls that fail are not repeated."""
    groups = ("space", "romance", "crime")
    async with caller_of(suite) as caller:

        async def record() -> None:
            async for number in _paced(_LOAD_EVENTS, math.inf):
                item = f"{groups[number % 3]}-{number % ITEMS}"
                calls.add(_once(caller.record(event(f"load-{number}", f"u{number % 500}", item))))

        async def ask() -> None:
            async for _ in _paced(_LOAD_SLATES, math.inf):
                calls.add(_once(_slate(caller)))

        calls = _Calls()
        jobs = [asyncio.create_task(record()), asyncio.create_task(ask())]
        try:
            yield
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, *calls.open, return_exceptions=True)


class _Calls:
    """Calls under way."""

    def __init__(self) -> None:
        self.open: set[asyncio.Task[None]] = set()

    def add(self, call: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(call)
        self.open.add(task)
        task.add_done_callback(self.open.discard)


async def _once(call: Awaitable[object]) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError, StoreUnavailableError, TimeoutError):
        async with asyncio.timeout(_CALL_SECONDS):
            await call


async def _begin(caller: Caller) -> None:
    """Create a catalogue and a user, and wait until all services know of them."""
    await caller.upsert(*catalogue(ITEMS))
    position = await caller.record(event("first", "somebody", "space-0"))
    await caller.slate("somebody", position)
    await caller.profile("somebody", position)


async def _first_ok(call: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                await call()
        except (grpc.aio.AioRpcError, StoreUnavailableError, TimeoutError):
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


async def _slate(caller: Caller) -> None:
    request = ranker_service_pb2.RecommendRequest(subject=user("somebody"))
    await caller.clients.rankers[0].Recommend(request)


def soak(seconds: float = 3600.0, events: float = 50.0, slates: float = 12.0) -> Iterator[Number]:
    """Record events and ask for slates at a steady rate; say what grew in the last half."""
    with _running() as (postgres, suite):
        grown, wal, recorded = asyncio.run(_soaked(postgres, suite, seconds, events, slates))
    worst = max(grown.values())
    yield Number(
        f"soak of {seconds / 60:.0f} min at {events:.0f} events/s and {slates:.0f} slates/s: "
        "growth of each process in the last half",
        "<= 5 MiB",
        ", ".join(f"{name} {mib:.1f}" for name, mib in grown.items()) + " MiB",
        worst <= 5.0,
        {"mib": grown},
    )
    per_event = wal / max(1, recorded) / 1000
    yield Number(
        "WAL of both schemas, per event, in that soak",
        "<= 6 KB",
        f"{per_event:.1f} KB",
        per_event <= 6.0,
        {"wal_bytes": wal, "events": recorded},
    )


async def _soaked(
    postgres: EmbeddedPostgres, suite: Suite, seconds: float, events: float, slates: float
) -> tuple[dict[str, float], int, int]:
    recorded = 0
    async with caller_of(suite) as caller:
        await _begin(caller)
        groups = ("space", "romance", "crime")

        async def record() -> None:
            nonlocal recorded
            async for number in _paced(events, seconds):
                item = f"{groups[number % 3]}-{number % ITEMS}"
                await caller.record(event(f"soak-{number}", f"u{number % 2000}", item))
                recorded += 1

        async def ask() -> None:
            async for number in _paced(slates, seconds):
                request = ranker_service_pb2.RecommendRequest(subject=user(f"u{number % 2000}"))
                await caller.clients.rankers[0].Recommend(request)

        before = _lsn(postgres)
        async with asyncio.TaskGroup() as group:
            group.create_task(record())
            group.create_task(ask())
            await asyncio.sleep(seconds / 2)
            half = _resident(suite)
        full = _resident(suite)
        wal = _lsn(postgres) - before
    return {name: (full[name] - half[name]) / _MIB for name in full}, wal, recorded


async def _paced(rate: float, seconds: float) -> AsyncIterator[int]:
    began = time.monotonic()
    for number in itertools.count():
        due = began + number / rate
        if due > began + seconds:
            return
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        yield number


def _lsn(postgres: EmbeddedPostgres) -> int:
    return int(postgres.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))


def _resident(suite: Suite) -> dict[str, int]:
    found = {}
    for name, process in suite.processes.items():
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        found[name] = pages * os.sysconf("SC_PAGE_SIZE")
    return found
