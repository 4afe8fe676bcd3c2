"""Restarting the processes of a deployment, one after the other, as Kubernetes does it."""

import asyncio
import time
from collections.abc import Callable, Sequence

from services.cli.embedded_postgres import EmbeddedPostgres
from tests.operations.fleet import Fleet
from tests.operations.traffic import Traffic

ORDER = ("ingest", "learner", "profile", "ranker")
Report = Callable[[str], None]


async def restart(
    fleet: Fleet,
    traffic: Traffic,
    names: Sequence[str],
    pause_seconds: float = 0.5,
    report: Report = lambda _: None,
) -> None:
    """Restart processes by SIGTERM, each when the one before is ready, after a pause (preStop)."""
    for name in names:
        await asyncio.sleep(pause_seconds)
        traffic.phase = name
        started = time.monotonic()
        await asyncio.to_thread(fleet.terminate, name)
        ended = time.monotonic()
        await asyncio.to_thread(fleet.start, name)
        report(
            f"{name:10s} ended in {ended - started:5.2f} s,"
            f" ready again after {time.monotonic() - ended:5.2f} s"
        )
    await asyncio.sleep(pause_seconds)


async def restart_postgres(
    server: EmbeddedPostgres,
    traffic: Traffic,
    pause_seconds: float = 0.5,
    report: Report = lambda _: None,
) -> None:
    """Restart the database with all connections cut."""
    traffic.phase = "postgres"
    started = time.monotonic()
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    report(f"postgres   away for {time.monotonic() - started:.2f} s")
    await asyncio.sleep(pause_seconds)
