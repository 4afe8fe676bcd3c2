"""How long profile takes to apply frames. Its bias: applying alone, on a quiet machine.

Flattering: frames are made before the clock starts, no RPC is served meanwhile, PostgreSQL is on
this machine over a Unix socket, and single events come one after the other, never in a crowd.
Unkind: fsync is on, and every event brings a new vector of its user. Made-up users and items, drawn
evenly. Hardware of the figures in README and DECISIONS: 2 shared cores of an AMD EPYC; compare runs
on one machine only.

Run as `python -m tests.benchmarks.profile_apply`. Prints events a second of a backlog of 256 frames
of 1,000 events, for two sizes of catalogue; and p50 and p99 of a frame with one event, from the
call that applies it until readers see it and until it is on disk.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop
from prometheus_client import CollectorRegistry

from harken.internal.feed.v1 import frame_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from services.common.database import open_pool
from services.common.migrations import migrate
from services.profile.frame_applier import FrameApplier
from services.profile.metrics import ProfileMetrics
from services.profile.process import MIGRATIONS, SCHEMA
from services.profile.store.attribute_store import AttributeStore
from services.profile.store.behaviour_store import BehaviourStore
from tests.profile.script import Happening, Script

DIMENSION = 128


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as server,
    ):
        dsn = server.dsn("harken_profile")
        migrate(dsn, SCHEMA, MIGRATIONS)
        uvloop.run(_measure(dsn))


async def _measure(dsn: str) -> None:
    pool = await open_pool(dsn, SCHEMA, 2)
    metrics = ProfileMetrics(CollectorRegistry())
    applier = await FrameApplier.open(BehaviourStore(pool), AttributeStore(pool), metrics)
    script, rng = Script(), random.Random(1)
    for users, items in ((943, 1682), (50_000, 20_000)):
        backlog = [_frame(script, rng, 1000, users, items) for _ in range(256)]
        started = time.perf_counter()
        await applier.apply(backlog)
        seconds = time.perf_counter() - started
        print(f"backlog, {users} users: {256_000 / seconds:,.0f} events/s, {seconds:.2f} s")
    whole, visible = [], []
    for frame in [_frame(script, rng, 1, 943, 1682) for _ in range(1000)]:
        started = time.perf_counter()
        call = asyncio.create_task(applier.apply([frame]))
        while applier.progress.applied.version < frame.version:  # noqa: ASYNC110 - lets the applier run
            await asyncio.sleep(0)
        visible.append(time.perf_counter() - started)
        await call
        await applier.settle()
        whole.append(time.perf_counter() - started)
    print(f"one event, visible: {_percentiles(visible)}")
    print(f"one event, on disk: {_percentiles(whole)}")
    await pool.close()


def _frame(
    script: Script, rng: random.Random, events: int, users: int, items: int
) -> frame_pb2.Frame:
    happenings = [
        Happening(f"user-{rng.randrange(users)}", f"item-{rng.randrange(items)}", "rating", 4.0)
        for _ in range(events)
    ]
    vector = [0.1] * DIMENSION
    return script.frame(happenings, {("default", h.user): vector for h in happenings})


def _percentiles(seconds: list[float]) -> str:
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"


if __name__ == "__main__":
    main()
