"""SIGKILL of any process at any moment loses nothing, and replicas converge (truths 1, 2, 4, 6).

Any process: ingest, learner, profile, three rankers, and PostgreSQL itself, each several times in
one run, at random moments, some while they are still starting; about thirty kills.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import grpc
import pytest

from harken.feedback.v1 import event_pb2
from harken.internal.log.v1 import entry_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from services.cli.suite import Suite, SuiteConfig
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.waiting import until

KILLS_EACH = 3
USERS = 12
POSTGRES = "postgres"

Sent = dict[str, event_pb2.Event]


async def send(caller: Caller, sender: int, stop: asyncio.Event, sent: Sent) -> None:
    """Record events one by one, each until it is acknowledged; some ask for the slate, too."""
    chance = random.Random(sender)
    names = [item.item_id for item in catalogue()]
    number = 0
    while not stop.is_set():
        who = f"user-{chance.randrange(USERS)}"
        one = event(f"{sender}-{number}", who, chance.choice(names))
        while True:
            try:
                async with asyncio.timeout(30):
                    await caller.record(one)
                break
            except (grpc.aio.AioRpcError, TimeoutError):
                await asyncio.sleep(0.02)
        sent[one.event_id] = one
        number += 1
        if chance.random() < 0.2:
            try:
                async with asyncio.timeout(5):
                    await caller.slate(who, replica=chance.randrange(3))
            except (grpc.aio.AioRpcError, TimeoutError):
                await asyncio.sleep(0.02)


def kill(suite: Suite, server: EmbeddedPostgres, name: str) -> None:
    if name == POSTGRES:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    else:
        suite.kill(name)


def start(suite: Suite, server: EmbeddedPostgres, name: str) -> None:
    if name == POSTGRES:
        server.start()
    else:
        suite.start(name)


async def kill_at_random(suite: Suite, server: EmbeddedPostgres) -> Counter[str]:
    """Kill processes at random moments, each started again at once; return how often."""
    chance = random.Random(11)
    killed: Counter[str] = Counter()
    victims = [name for name in (*suite.processes, POSTGRES) for _ in range(KILLS_EACH)]
    chance.shuffle(victims)
    for name in victims:
        await asyncio.sleep(chance.random() * 0.4)
        await asyncio.to_thread(kill, suite, server, name)
        killed[name] += 1
        if name != POSTGRES and chance.random() < 0.3:
            # Killed again while it is still starting.
            suite.processes[name].start()
            await asyncio.sleep(chance.random() * 0.5)
            await asyncio.to_thread(kill, suite, server, name)
            killed[name] += 1
        await asyncio.to_thread(start, suite, server, name)
    return killed


@pytest.fixture
def server(guardian: Guardian, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of its own, so that it can be killed; durable, so that it can be killed."""
    with EmbeddedPostgres(tmp_path / "postgres", guardian) as own:
        yield own


async def test_nothing_is_lost_and_replicas_converge(
    server: EmbeddedPostgres, guardian: Guardian, tmp_path: Path
) -> None:
    config = SuiteConfig(
        tmp_path / "suite",
        server.dsn("harken_feedback"),
        server.dsn("harken_profile"),
        rankers=3,
        preset="media",
        split_feedback=True,
        environment={
            "feedback": {
                "HARKEN_FEEDBACK_LEASE_SECONDS": "0.3",
                "HARKEN_FEEDBACK_CHECKPOINT_VERSIONS": "50",
                "HARKEN_FEEDBACK_CHECKPOINT_SECONDS": "0.5",
                "HARKEN_FEEDBACK_KEEP_VERSIONS": "20",
            }
        },
    )
    with await asyncio.to_thread(Suite(config, guardian).__enter__) as running:
        async with caller_of(running) as caller:
            await caller.upsert(*catalogue())
            stop = asyncio.Event()
            sent: Sent = {}
            senders = [asyncio.create_task(send(caller, n, stop, sent)) for n in range(4)]
            killed = await kill_at_random(running, server)
            assert min(killed[name] for name in (*running.processes, POSTGRES)) >= KILLS_EACH
            stop.set()
            await asyncio.gather(*senders)
            final = event("last", "user-0", "space-0")
            last = await caller.record(final)
            sent["last"] = final
            await check_log(server, sent)
            await check_profiles(caller, sent, last)
            await check_replicas(caller, last)


async def check_log(server: EmbeddedPostgres, sent: Sent) -> None:
    """The log holds every acknowledged event once, as it was sent."""
    connection = await asyncpg.connect(server.admin_dsn)
    rows = await connection.fetch("SELECT entry FROM feedback.log WHERE user_key IS NOT NULL")
    await connection.close()
    entries = [entry_pb2.Entry.FromString(row["entry"]) for row in rows]
    logged = [entry.event for entry in entries if entry.HasField("event")]
    assert len({one.event_id for one in logged}) == len(logged)
    assert {one.event_id: (one.user_key.decode()[2:], one.item_id, one.type) for one in logged} == {
        name: (one.subject.user_id, one.item_id, one.type) for name, one in sent.items()
    }


async def check_profiles(caller: Caller, sent: Sent, last: bytes) -> None:
    """Profile counts each event once, whatever died in between."""
    for who, expected in Counter(one.subject.user_id for one in sent.values()).items():
        answer = await caller.profile(who, last)
        assert answer.profile.counters.events == expected


async def check_replicas(caller: Caller, last: bytes) -> None:
    """Replicas reach one version and one digest: that of a plain fold of the feed."""
    for replica in range(3):
        await caller.slate("user-0", last, replica=replica)

    async def agreed() -> bool:
        states = [await caller.state(replica) for replica in range(3)]
        return len({state.version for state in states}) == 1

    await until(agreed, "replicas to reach one version")
    states = [await caller.state(replica) for replica in range(3)]
    assert len({state.tenants[0].digest for state in states}) == 1
    assert states[0].tenants[0].digest == await caller.fold_of_feed(states[0].version)
