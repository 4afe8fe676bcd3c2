"""One event is appended as many are (truths 2 and 3), and told only to those who listen."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.common.database import Connection
from services.common.migrations import migrate
from services.feedback.feed_server.log_hub import LogHub
from services.feedback.log.log_reader import LogReader
from services.feedback.log.log_store import (
    LOG_CHANNEL,
    SHARD,
    Appended,
    PreparedEvents,
    append_events,
)
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import ROOT
from tests.waiting import until

EVENTS = 300


async def open_pool(database: FreshDatabase) -> asyncpg.Pool:
    migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")
    return await asyncpg.create_pool(
        database.feedback_dsn, min_size=1, max_size=4, server_settings={"search_path": SCHEMA}
    )


@pytest_asyncio.fixture
async def pool(database: FreshDatabase) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database) as pool:
        yield pool


def event_of(chance: random.Random) -> PreparedEvents:
    """Return an event: often of an id that was there before, sometimes one for quarantine."""
    name = f"e{chance.randrange(EVENTS // 3)}"
    reason = chance.choice([0, 0, 0, 1])
    fingerprint = chance.choice([b"f", b"g"])
    return PreparedEvents(
        [chance.choice(["t", "u"])], [name], ["i"], [fingerprint], [b"k"], [reason], [b"entry"]
    )


async def append_as_many(connection: Connection, events: PreparedEvents) -> Appended:
    """Append by the function for many."""
    row = await connection.fetchrow(
        "SELECT * FROM append_stamped_events($1, $2, $3, $4, $5, $6, $7)",
        SHARD, events.tenants, events.event_ids, events.fingerprints, events.user_keys,
        events.reasons, events.entries,
    )  # fmt: skip
    assert row is not None
    known = None
    if row["known_sequences"] is not None:
        known = [(row["known_sequences"][0], row["known_fingerprints"][0])]
    return Appended(row["epoch"], row["before"], row["accepted_at_us"], known)


async def tables_of(pool: asyncpg.Pool) -> list[Any]:
    return [
        [tuple(row) for row in await pool.fetch(query)]
        for query in (
            "SELECT epoch, head FROM shards",
            "SELECT sequence, tenant, user_key, entry FROM log ORDER BY sequence",
            "SELECT * FROM event_ids ORDER BY tenant, event_id",
            "SELECT tenant, event_id, fingerprint, user_key, reason, entry FROM quarantine"
            " ORDER BY tenant, event_id",
        )
    ]


async def test_one_event_is_appended_as_many_are(
    new_database: Callable[[], FreshDatabase],
) -> None:
    """Known ids, other fields under them, ids from quarantine: the same answers and rows."""
    chance = random.Random(7)
    one, many = await open_pool(new_database()), await open_pool(new_database())
    async with one, many:
        for _ in range(EVENTS):
            event = event_of(chance)
            async with one.acquire() as mine, many.acquire() as theirs:
                got = await append_events(mine, event)
                expected = await append_as_many(theirs, event)
            assert (got.epoch, got.before, got.known) == (
                expected.epoch, expected.before, expected.known
            )  # fmt: skip
            assert got.places(event) == expected.places(event)
        tables = await tables_of(one)
        assert tables == await tables_of(many)
        assert all(tables)
        rows = await one.fetch("SELECT accepted_at FROM log ORDER BY sequence")
        stamps = [row["accepted_at"] for row in rows]
        assert stamps == sorted(stamps)


async def test_calls_at_once_leave_no_gap(pool: asyncpg.Pool) -> None:
    """Also where one of them is known, and so takes back the sequence that it took."""
    names = [f"e{number % 40}" for number in range(120)]

    async def append(name: str) -> Appended:
        async with pool.acquire() as connection:
            event = PreparedEvents(["t"], [name], ["i"], [b"f"], [b"k"], [0], [name.encode()])
            return await append_events(connection, event)

    answers = await asyncio.gather(*map(append, names))
    rows = await pool.fetch("SELECT sequence, entry FROM log ORDER BY sequence")
    assert [row["sequence"] for row in rows] == list(range(1, 41))
    where = {row["entry"].decode(): row["sequence"] for row in rows}
    assert len(where) == 40
    for name, answer in zip(names, answers, strict=True):
        known = answer.known[0] if answer.known is not None else None
        assert where[name] == (answer.before + 1 if known is None else known[0])
    assert await pool.fetchval("SELECT head FROM shards") == 40


async def test_only_those_who_listen_are_told(pool: asyncpg.Pool) -> None:
    heard: list[str] = []
    async with pool.acquire() as listener, pool.acquire() as connection:

        def hear(_connection: object, _pid: int, _channel: str, said: object) -> None:
            heard.append(str(said))

        await listener.add_listener(LOG_CHANNEL, hear)
        for name, notify in (("a", False), ("b", True), ("c", False)):
            event = PreparedEvents(["t"], [name], ["i"], [b"f"], [b"k"], [0], [b"entry"])
            await append_events(connection, event, notify)
        await connection.execute("SELECT pg_notify($1, 'end')", LOG_CHANNEL)
        await until(lambda: heard[-1:] == ["end"], "the last notification")
        assert heard == ["2", "end"]
        await listener.remove_listener(LOG_CHANNEL, hear)


async def test_hub_knows_whether_others_listen(database: FreshDatabase, pool: asyncpg.Pool) -> None:
    """Alone it says no; who comes is known, and who is gone is forgotten."""

    def new_hub() -> LogHub:
        return LogHub(pool, LogReader(pool), database.feedback_dsn, CollectorRegistry())

    first, second = new_hub(), new_hub()
    assert first.others_listen, "nothing is known yet"
    async with asyncio.TaskGroup() as group:
        following = group.create_task(first.run())
        await until(lambda: not first.others_listen, "the first to be alone")
        other = group.create_task(second.run())
        await until(lambda: first.others_listen, "the second to be heard")
        # Both keep each other in mind, also after they have asked again.
        await until(lambda: second.others_listen, "the first to be seen")
        async with pool.acquire() as connection:
            event = PreparedEvents(["t"], ["a"], ["i"], [b"f"], [b"k"], [0], [b"entry"])
            await append_events(connection, event, first.others_listen)
        await until(lambda: second.newest == 1, "the second to be told")
        other.cancel()
        await until(lambda: not first.others_listen, "the second to be gone")
        following.cancel()
    assert first.others_listen, "nothing is known any more"


async def test_others_may_listen_where_activity_is_not_to_be_seen(
    database: FreshDatabase, pool: asyncpg.Pool
) -> None:
    reader = LogReader(pool)
    connection = await asyncpg.connect(database.feedback_dsn)
    await connection.execute(f'LISTEN "{LOG_CHANNEL}"')
    own = connection.get_server_pid()
    assert not await reader.others_listen(own)
    await connection.execute("SELECT 1")
    assert await reader.others_listen(own), "our own is not to be seen, so others may not be either"
    await connection.close()
