"""Who leads says so: by every step that is committed, and without steps by itself."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from services.common.database import open_pool
from services.common.migrations import migrate
from services.feedback.learner.learner import Learner
from services.feedback.learner.learner_store import FencedError, LearnerStore
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import ROOT

LEASE_SECONDS = 0.3


class Store:
    """Counts heartbeats."""

    def __init__(self) -> None:
        self.beats: list[float] = []
        self.beaten = asyncio.Event()

    async def heartbeat(self, term: int) -> None:
        self.beats.append(time.monotonic())
        self.beaten.set()


def learner_of(store: Store) -> Learner:
    nothing: Any = None
    times: Any = SimpleNamespace(lease_seconds=LEASE_SECONDS)
    kept: Any = store
    return Learner(
        nothing, "", kept, nothing, nothing, nothing, nothing, nothing, nothing, nothing, times,
        lambda: False,
    )  # fmt: skip


async def test_steps_are_heartbeats_and_between_them_it_beats_itself() -> None:
    store = Store()
    learner = learner_of(store)
    loop = asyncio.get_running_loop()
    beating = asyncio.create_task(learner._beat(1))
    await store.beaten.wait()
    store.beaten.clear()
    quiet: asyncio.Future[None] = loop.create_future()
    last = 0.0

    def step(left: int) -> None:
        nonlocal last
        last = learner._alive_at = time.monotonic()
        if left:
            loop.call_later(LEASE_SECONDS / 10, step, left - 1)
        else:
            quiet.set_result(None)

    step(10)
    await quiet
    assert len(store.beats) == 1
    await store.beaten.wait()
    beating.cancel()
    # Never longer silent than a third of the lease, give or take how exact timers are.
    assert store.beats[1] - last >= LEASE_SECONDS / 3 - 0.01


async def test_a_heartbeat_is_of_its_term_and_waits_for_no_disk(database: FreshDatabase) -> None:
    migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")
    pool = await open_pool(database.feedback_dsn, SCHEMA, 1)
    store = LearnerStore(pool, "somebody")
    forget = "UPDATE learners SET term = 7, heartbeat_at = 'epoch'"
    fresh = "SELECT heartbeat_at > now() - interval '1 minute' FROM learners"
    try:
        await pool.execute(forget)
        with pytest.raises(FencedError):
            await store.heartbeat(6)
        assert not await pool.fetchval(fresh)
        waiting = 0
        for _ in range(5):
            await store.heartbeat(7)
            # What is written of the log and not flushed; now and then the server just did so.
            waiting += await pool.fetchval(
                "SELECT (pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn())::bigint"
            )
        assert waiting > 0
        assert await pool.fetchval(fresh)
        assert await pool.fetchval("SHOW synchronous_commit") == "on"
    finally:
        await pool.close()
