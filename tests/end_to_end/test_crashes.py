"""SIGKILL of any process at any moment loses nothing, and replicas converge (truths 1, 2, 4, 6)."""

import asyncio
import random
from collections import Counter

import asyncpg
import grpc

from harken.log.v1 import entry_pb2
from services.cli.suite import Suite
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.waiting import until

KILLS = 36
USERS = 12


async def send(caller: Caller, sender: int, stop: asyncio.Event, sent: Counter[str]) -> None:
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
        sent[who] += 1
        number += 1
        if chance.random() < 0.2:
            try:
                async with asyncio.timeout(5):
                    await caller.slate(who, replica=chance.randrange(3))
            except (grpc.aio.AioRpcError, TimeoutError):
                await asyncio.sleep(0.02)


async def kill_at_random(suite: Suite, kills: int) -> Counter[str]:
    """Kill processes at random moments, each started again at once; return how often."""
    chance = random.Random(11)
    killed: Counter[str] = Counter()
    # Each of them at least once, then whichever.
    victims = list(suite.processes) + [
        chance.choice(list(suite.processes)) for _ in range(kills - len(suite.processes))
    ]
    chance.shuffle(victims)
    for name in victims:
        await asyncio.sleep(chance.random() * 0.4)
        await asyncio.to_thread(suite.kill, name)
        killed[name] += 1
        if chance.random() < 0.7:
            await asyncio.to_thread(suite.start, name)
        else:
            # Killed again while it is still starting.
            suite.processes[name].start()
            await asyncio.sleep(chance.random() * 0.5)
            await asyncio.to_thread(suite.kill, name)
            await asyncio.to_thread(suite.start, name)
            killed[name] += 1
    return killed


async def test_nothing_is_lost_and_replicas_converge(
    suite: StartSuite, database: FreshDatabase
) -> None:
    running = suite(
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
    async with caller_of(running) as caller:
        await caller.upsert(*catalogue())
        stop = asyncio.Event()
        sent: Counter[str] = Counter()
        senders = [asyncio.create_task(send(caller, n, stop, sent)) for n in range(4)]
        killed = await kill_at_random(running, KILLS)
        stop.set()
        await asyncio.gather(*senders)
        assert set(killed) == set(running.processes)
        last = await caller.record(event("last", "user-0", "space-0"))
        sent["user-0"] += 1

        # The log holds every acknowledged event, once.
        connection = await asyncpg.connect(database.admin_dsn)
        rows = await connection.fetch("SELECT entry FROM feedback.log WHERE user_key IS NOT NULL")
        await connection.close()
        logged = [entry_pb2.Entry.FromString(row["entry"]).event for row in rows]
        assert Counter(one.user_key.decode()[2:] for one in logged) == sent
        assert len({one.event_id for one in logged}) == len(logged)

        # Profile counts each once, whatever died in between.
        for who, expected in sent.items():
            answer = await caller.profile(who, last)
            assert answer.profile.counters.events == expected

        # Replicas reach one version and one digest: that of a plain fold of the feed.
        for replica in range(3):
            await caller.slate("user-0", last, replica=replica)

        async def agreed() -> bool:
            states = [await caller.state(replica) for replica in range(3)]
            return len({state.version for state in states}) == 1

        await until(agreed, "replicas to reach one version")
        states = [await caller.state(replica) for replica in range(3)]
        assert len({state.tenants[0].digest for state in states}) == 1
        assert states[0].tenants[0].digest == await caller.fold_of_feed(states[0].version)
