"""Advisory locks belong to a database, not to a role: nobody else's may hold up feedback."""

import asyncio
import time

import asyncpg
import pytest

from services.common.migrations import migrate
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import ROOT, Client, Connect, FeedbackProcesses, record
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until

_LEARNER, _RETENTION = 0x4841524C, 0x4841524B
"""Keys that release 0.1 locks."""


async def take_all(role: asyncpg.Connection) -> None:
    """Take what any release of ours ever took, and a thousand more: there are 2^65 of them."""
    await role.execute("SELECT pg_advisory_lock($1, 0)", _LEARNER)
    await role.execute("SELECT pg_advisory_lock($1)", _RETENTION)
    for tenant in ("default", "other"):
        for kind in ("catalogue", "generations"):
            await role.execute(
                "SELECT pg_advisory_lock(hashtextextended($1, 0))", f"{kind}/{tenant}"
            )
    await role.execute("SELECT pg_advisory_lock(n) FROM generate_series(0, 999) AS n")


async def learned(client: Client, admin: asyncpg.Connection, name: str) -> None:
    """Record an event, and wait until it is learned."""
    sequence = (await record(client, name)).sequence

    async def passed() -> bool:
        return bool(await admin.fetchval("SELECT sequence >= $1 FROM feedback.learners", sequence))

    await until(passed, "the event to be learned")


async def test_who_holds_every_advisory_lock_stops_nothing(
    processes: FeedbackProcesses,
    connect: Connect,
    database: FreshDatabase,
    admin: asyncpg.Connection,
) -> None:
    other = await asyncpg.connect(database.profile_dsn)
    try:
        await take_all(other)
        migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")
        first, target = processes.start(
            "first", checkpoint_versions="1", checkpoint_seconds="0.1", keep_versions="1"
        )
        client = connect(target)
        await client.upsert(20)
        await learned(client, admin, "a")
        began = time.monotonic()
        await client.upsert(20, tenant="other")
        # The lock of release 0.1 is asked for, and not waited for.
        assert time.monotonic() - began < 5.0
        # Retention forgets, snapshots are pinned.
        await until(lambda: _forgotten(admin), "frames to be forgotten")
        async with FeedReader(client, snapshot=True) as reader:
            await reader.read("welcome")
            assert await reader.snapshot()
        # A hand-over.
        await asyncio.to_thread(first.kill)
        _, second = processes.start("second")
        await learned(connect(second), admin, "b")
    finally:
        await other.close()


async def test_another_role_reaches_nothing_that_we_lock(
    processes: FeedbackProcesses,
    connect: Connect,
    database: FreshDatabase,
    admin: asyncpg.Connection,
) -> None:
    """The only advisory locks of ours are those of catalogues, for release 0.1."""
    _, target = processes.start("feedback")
    client = connect(target)
    await client.upsert(20)
    await learned(client, admin, "a")
    assert await admin.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    named = await admin.fetchval(
        "SELECT count(*) FROM feedback.learners l JOIN pg_stat_activity a ON a.pid = l.session_pid"
        " AND a.backend_start = l.session_start WHERE l.session_term = l.term"
    )
    assert named == 1
    # Who leads is in no transaction, so that nothing of it keeps PostgreSQL from cleaning up.
    assert not await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity a JOIN feedback.learners l ON a.pid = l.session_pid"
        " WHERE a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL"
    )
    other = await asyncpg.connect(database.profile_dsn)
    try:
        for statement in (
            "UPDATE feedback.learners SET holder = ''",
            "SELECT FROM feedback.turns FOR UPDATE",
            "SELECT feedback.take_turn('retention')",
            "LOCK TABLE feedback.learners IN ACCESS SHARE MODE",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with other.transaction():
                    await other.execute(statement)
        pid = await admin.fetchval("SELECT session_pid FROM feedback.learners")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.execute("SELECT pg_terminate_backend($1)", pid)
    finally:
        await other.close()


async def test_a_learner_of_the_last_release_is_not_pushed_aside(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """It names no session: it leads until it resigns or is silent, and may take over from us."""
    _, target = processes.start("feedback", lease_seconds="60")
    client = connect(target)
    await client.upsert(20)
    await learned(client, admin, "a")
    # What release 0.1 does when it leads.
    term = await admin.fetchval(
        "UPDATE feedback.learners SET term = term + 1, holder = 'old',"
        " heartbeat_at = clock_timestamp() RETURNING term"
    )
    # Its next commit is fenced.
    await record(client, "b")
    await until(
        lambda: admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%session_term = term%'"
            " AND query LIKE 'SELECT%' AND state = 'idle' AND pid <> pg_backend_pid()"
        ),
        "the fenced one to stand by",
    )
    assert await admin.fetchval("SELECT term FROM feedback.learners") == term
    await admin.execute("UPDATE feedback.learners SET holder = '' WHERE holder = 'old'")
    await learned(client, admin, "c")
    assert await admin.fetchval("SELECT term FROM feedback.learners") == term + 1


async def _forgotten(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("SELECT min(version) > 1 FROM feedback.frames"))
