"""How long nobody learns when the learner ends.

Its bias: one machine, loopback and a Unix socket, so the end of a process is seen at once; when a
whole host vanishes the lease (1 s) decides instead. Included in each figure: the client's call of
RecordEvents and the way of the frame back to a subscriber of another process.

    python -m tests.benchmarks.takeover [--kills 10] [--items 20000]

Two learners, one of them standing by. The one that leads is ended, an event is recorded at once,
and the time is taken until a subscriber sees that it was learned; then the ended one is started
again and stands by. Once with SIGKILL, once with SIGTERM.
"""

import argparse
import asyncio
import signal
import time
from collections.abc import Sequence

import grpc
import numpy as np

from harken.internal.feed.v1 import feed_service_pb2
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.conftest import FreshDatabase
from tests.feedback.conftest import Client, FeedbackProcesses
from tests.feedback.feed_reader import FeedReader
from tests.operations.learners import Effect, LearnerPair

START = feed_service_pb2.ResumePoint()


async def fill(client: Client, items: int) -> None:
    """Create items, 1,000 a call."""
    await client.upsert(1000)
    for start in range(1000, items, 1000):
        await client.upsert(1000, prefix=f"more-{start}-")


async def measure(processes: FeedbackProcesses, kills: int, items: int) -> dict[str, list[float]]:
    """Return seconds without learning, by signal."""
    # The catalogue is large, one message of the feed per step: a minute is plenty.
    _, target = processes.start("ingest", role="ingest", dimension="128")
    pair = LearnerPair(processes, dimension="128", checkpoint_seconds="5", checkpoint_versions="50")
    found: dict[str, list[float]] = {"SIGKILL": [], "SIGTERM": []}
    options = [("grpc.max_receive_message_length", 64 << 20)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        client = Client(channel)
        await fill(client, items)
        async with FeedReader(client, resume=START) as reader:
            await reader.read("welcome")
            effect = Effect(client, reader)
            print(f"without a kill         {await effect.seconds() * 1e3:7.1f} ms (first)")
            for _ in range(3):
                usual = await effect.seconds()
            print(f"without a kill         {usual * 1e3:7.1f} ms")
            for name, seconds in found.items():
                for _ in range(kills):
                    ended = pair.leader
                    ended.signal(signal.Signals[name])
                    seconds.append(await effect.seconds())
                    await asyncio.to_thread(ended.reap, time.monotonic() + 30)
                    await pair.restart_standing_by(ended)
    return found


def line(what: str, seconds: Sequence[float]) -> str:
    """Return the distribution in milliseconds."""
    p50, p90, top = np.percentile(np.array(seconds) * 1e3, [50, 90, 100])
    return f"{what:22s} p50 {p50:7.1f} ms  p90 {p90:7.1f} ms  max {top:7.1f} ms  n {len(seconds)}"


def main() -> None:
    """Run it on an embedded PostgreSQL, durable as in production."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--items", type=int, default=20_000)
    given = parser.parse_args()
    with fresh_postgres() as (folder, postgres, guardian):
        roles = [postgres.dsn(r) for r in ("harken_feedback", "harken_profile", "postgres")]
        database = FreshDatabase("harken", *roles)
        processes = FeedbackProcesses(folder, database, guardian)
        found = asyncio.run(measure(processes, given.kills, given.items))
    for signal_name, seconds in found.items():
        print(line(f"{signal_name}, {given.items} items", seconds))


if __name__ == "__main__":
    main()
