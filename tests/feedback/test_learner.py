"""The learner: fenced, restartable, standing by (truths 1, 2, 4)."""

import asyncio
import random
import time

import asyncpg
import grpc
import numpy as np

from harken.internal.feed.v1 import feed_service_pb2
from tests.feedback.conftest import Connect, FeedbackProcesses, record_sequence
from tests.feedback.feed_reader import EntriesReader, FeedReader, events_in
from tests.waiting import until

START = feed_service_pb2.ResumePoint()


async def chain(admin: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await admin.fetch(
        "SELECT version, through_sequence FROM feedback.frames ORDER BY version"
    )
    return rows


async def test_two_learners_started_at_once_do_no_harm(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Both run all the time, one is killed at random moments and started again: still every
    event takes effect once, in one chain of frames.
    """
    _, target = processes.start("ingest", role="ingest")
    learners = [
        processes.create(f"learner-{n}", role="learner", lease_seconds="0.3")[0] for n in range(2)
    ]
    for learner in learners:
        learner.start()
    for learner in learners:
        learner.wait_ready(time.monotonic() + 60)
    client = connect(target)
    await client.upsert(20)
    chance = random.Random(4)
    names = [f"two-{n}" for n in range(600)]

    async def disturb() -> None:
        for _ in range(6):
            await asyncio.sleep(chance.random() * 0.5)
            victim = chance.choice(learners)
            await asyncio.to_thread(victim.kill)
            victim.start()

    disturbing = asyncio.create_task(disturb())
    last = 0
    for name in names:
        last = await record_sequence(client, name)
    await disturbing
    async with FeedReader(client, resume=START) as reader:
        await reader.read("welcome")
        async with asyncio.timeout(60):
            frames = await reader.frames_through(last)
    counts: dict[str, float] = {}
    for frame in frames:
        for changes in frame.tenants:
            own = np.frombuffer(changes.popularity.counts, "<f8").tolist()
            counts |= {
                changes.item_ids[item]: count
                for item, count in zip(changes.popularity.items, own, strict=True)
            }
    assert sum(counts.values()) == len(names)
    async with EntriesReader(client) as entries:
        await entries.read("welcome")
        users = [user for _, user, _ in events_in(await entries.through(last))]
    assert users == [f"u:{name}" for name in names]
    rows = await chain(admin)
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    through = [row["through_sequence"] for row in rows]
    assert through == sorted(set(through))


async def test_a_standby_takes_over_within_a_second_or_so(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    _, target = processes.start("ingest", role="ingest")
    active, _ = processes.start("active", role="learner")
    processes.start("standby", role="learner")
    client = connect(target)
    await client.upsert(20)
    async with FeedReader(client, resume=START) as reader:
        await reader.read("welcome")
        await reader.frames_through(await record_sequence(client, "before"))
        await asyncio.to_thread(active.kill)
        last = await record_sequence(client, "after")
        started = time.monotonic()
        await reader.frames_through(last)
        # The lease is 1 s; generous, because this is a test of whether, not a benchmark.
        assert time.monotonic() - started < 10


async def test_sigkill_loses_no_acknowledged_event(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Truths 1 and 2: the one process that does it all is killed again and again while a client
    retries what was not acknowledged.
    """
    process, target = processes.start(
        "feedback", lease_seconds="0.2", checkpoint_versions="20", checkpoint_seconds="0.1"
    )
    client = connect(target)
    await client.upsert(20)
    chance = random.Random(7)
    acknowledged: dict[str, int] = {}
    stop = asyncio.Event()

    async def send(sender: int) -> None:
        number = 0
        while not stop.is_set():
            names = [f"{sender}-{number + n}" for n in range(chance.randint(1, 20))]
            while True:
                try:
                    async with asyncio.timeout(20):
                        await record_sequence(client, *names)
                    break
                except (grpc.aio.AioRpcError, TimeoutError):
                    await asyncio.sleep(0.02)
            for name in names:
                acknowledged[name] = 1
            number += len(names)

    senders = [asyncio.create_task(send(sender)) for sender in range(4)]
    for _ in range(12):
        await asyncio.sleep(chance.random() * 0.4)
        await asyncio.to_thread(process.kill)
        process.start()
        await asyncio.to_thread(process.wait_ready, time.monotonic() + 60)
    stop.set()
    await asyncio.gather(*senders)
    last = await record_sequence(client, "the last one")
    logged = await admin.fetch("SELECT event_id, sequence FROM feedback.event_ids")
    entries = await admin.fetchval("SELECT count(*) FROM feedback.log WHERE user_key IS NOT NULL")
    assert set(acknowledged) <= {row["event_id"] for row in logged}
    assert entries == len(logged)
    async with FeedReader(
        client, snapshot=feed_service_pb2.FromSnapshot(), subscriber="late"
    ) as reader:
        await reader.read("welcome")
        await reader.snapshot()
        async with asyncio.timeout(60):
            await reader.frames_through(last)
    rows = await chain(admin)
    assert [row["version"] for row in rows] == list(
        range(rows[0]["version"], rows[0]["version"] + len(rows))
    )


async def test_checkpoints_are_counted_over_short_terms(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """No term lives long enough for a checkpoint of its own; all together do."""
    process, target = processes.start(
        "feedback", checkpoint_versions="25", checkpoint_seconds="0.01"
    )
    client = connect(target)
    await client.upsert(20)

    async def versions() -> int:
        return int(await admin.fetchval("SELECT version FROM feedback.learners"))

    async def newest() -> int:
        return int(
            await admin.fetchval("SELECT coalesce(max(version), 0) FROM feedback.checkpoints")
        )

    for term in range(8):
        before = await versions()
        number = 0
        while await versions() < before + 8:
            await record_sequence(client, f"term-{term}-{number}")
            number += 1
        await asyncio.to_thread(process.kill)
        process.start()
        await asyncio.to_thread(process.wait_ready, time.monotonic() + 60)
    await record_sequence(client, "last")

    async def checkpoint_is_young() -> bool:
        return await newest() > 0 and await versions() - await newest() < 25 + 8

    await until(checkpoint_is_young, "a checkpoint", 20)
