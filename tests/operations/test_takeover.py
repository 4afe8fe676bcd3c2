"""A standby learner takes over: at once when the learner ends, after a lease when it hangs.

The lease of most tests here is far longer than what they wait for: it is not what hands over.
"""

import asyncio
import os
import signal
import time

import asyncpg

from tests.feedback.conftest import Connect, FeedbackProcesses
from tests.operations.learners import learning_pair
from tests.waiting import until

LONG_LEASE = "60"
FAR_BELOW_THE_LEASE = 15.0


async def check_one_chain(admin: asyncpg.Connection, effects: int) -> None:
    """Every event took effect once, in one chain of versions (truths 2 and 4)."""
    versions = [
        row[0] for row in await admin.fetch("SELECT version FROM feedback.frames ORDER BY 1")
    ]
    assert versions == list(range(1, len(versions) + 1))
    learned, head = await admin.fetchrow(
        "SELECT l.sequence, s.head FROM feedback.learners l JOIN feedback.shards s USING (shard)"
    ) or (0, 0)
    assert learned == head
    logged = await admin.fetchval("SELECT count(*) FROM feedback.log WHERE user_key IS NOT NULL")
    assert logged == effects


async def test_a_killed_learner_is_replaced_without_waiting_for_its_lease(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    async with learning_pair(processes, connect, lease_seconds=LONG_LEASE) as (pair, effect):
        for _ in range(3):
            killed = pair.leader
            await asyncio.to_thread(killed.kill)
            assert await effect.seconds() < FAR_BELOW_THE_LEASE
            assert pair.leader is not killed
            await pair.restart_standing_by(killed)
        await check_one_chain(admin, effect.recorded)


async def test_sigterm_hands_over(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    async with learning_pair(processes, connect, lease_seconds=LONG_LEASE) as (pair, effect):
        stopped = pair.leader
        stopped.signal(signal.SIGTERM)
        assert await effect.seconds() < FAR_BELOW_THE_LEASE
        await asyncio.to_thread(stopped.reap, time.monotonic() + 15)
        assert stopped.exit_code == 0
        assert pair.leader is not stopped
        await check_one_chain(admin, effect.recorded)


async def test_a_learner_that_hangs_loses_its_session_and_does_no_harm_when_it_wakes(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    async with learning_pair(processes, connect, lease_seconds="0.5") as (pair, effect):
        hung = pair.leader
        assert hung.pid is not None
        os.kill(hung.pid, signal.SIGSTOP)
        try:
            await effect.seconds()
        finally:
            os.kill(hung.pid, signal.SIGCONT)
        leader = pair.leader
        assert leader is not hung
        for _ in range(20):
            await effect.seconds()
        assert pair.leader is leader, "the one that woke must stand by"
        # And it is fit to lead again.
        await asyncio.to_thread(leader.kill)
        await effect.seconds()
        await until(lambda: pair.leader is hung, "the one that hung to lead")
        await check_one_chain(admin, effect.recorded)
