"""What is forgotten leaves by emptying tables, and nothing that is needed goes with it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from harken.internal.log.v1 import entry_pb2
from services.cli.backup.take import held_snapshot
from services.common.migrations import migrate
from services.feed.progress import Applied
from services.feedback.feed_server.frame_store import FrameStore
from services.feedback.learner.learner_store import LearnerStore
from services.feedback.log.log_store import NewEntry, append_entries, read_log
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import ROOT

STRETCH = 4096
RING = [f"frames_{number}" for number in range(8)]
SLATE = entry_pb2.Entry(slate=entry_pb2.LoggedSlate(slate_id="s")).SerializeToString()
TICK = entry_pb2.Entry(tick=entry_pb2.Tick()).SerializeToString()


@pytest_asyncio.fixture
async def pool(database: FreshDatabase) -> AsyncIterator[asyncpg.Pool]:
    migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")
    pool = await asyncpg.create_pool(
        database.feedback_dsn, min_size=1, max_size=4, server_settings={"search_path": SCHEMA}
    )
    yield pool
    # Stores keep sessions.
    pool.terminate()


async def committed(pool: asyncpg.Pool, store: LearnerStore, through: int) -> int:
    """Commit steps up to a version, and say which term did."""
    async with pool.acquire() as connection:
        # As if the learner had come so far: the steps before take long to commit one by one.
        await connection.execute(
            "UPDATE learners SET version = $1, sequence = $1 WHERE shard = 0", through - 20
        )
        term: int = await connection.fetchval(
            "UPDATE learners SET term = term + 1 WHERE shard = 0 RETURNING term"
        )
        for table in range(8):
            await connection.execute(
                f"INSERT INTO frames_{table} (shard, version, epoch, through_sequence, frame)"
                " SELECT 0, v, 1, v, '\\x00' FROM generate_series(1, $1::bigint) v"
                " WHERE v / $2 % 8 = $3",
                through - 20, STRETCH, table,
            )  # fmt: skip
    for version in range(through - 19, through + 1):
        before, after = Applied(1, version - 1, version - 1), Applied(1, version, version)
        await store.commit_step(term, before, after, b"frame")
    return term


async def versions(pool: asyncpg.Pool) -> list[int]:
    return [row[0] for row in await pool.fetch("SELECT version FROM frames ORDER BY version")]


async def filled(pool: asyncpg.Pool) -> set[str]:
    return {table for table in RING if await pool.fetchval(f"SELECT count(*) FROM {table}")}


async def test_tables_of_forgotten_frames_are_emptied(pool: asyncpg.Pool) -> None:
    """Truth 5: what is kept has no gap."""
    store = LearnerStore(pool, "one", patience_seconds=0)
    through = 3 * STRETCH + 100
    term = await committed(pool, store, through)
    await store.write_checkpoint(term, Applied(1, through, through), [b"a", b"b"])
    kept = STRETCH + 50
    gone = await store.forget(kept)
    # One table is emptied; what is forgotten of the next one waits for the rest of it.
    assert gone == 2 * STRETCH - 1
    assert await versions(pool) == list(range(2 * STRETCH, through + 1))
    assert await filled(pool) == {"frames_2", "frames_3"}
    frames = await FrameStore(pool).frames_after(3 * STRETCH - 3)
    assert [frame.version for frame in frames[:5]] == [3 * STRETCH + n for n in range(-2, 3)]
    assert frames[-1].content == b"frame"


async def test_what_is_not_needed_waits_before_its_table_is_emptied(pool: asyncpg.Pool) -> None:
    """A snapshot that a backup took just before it locks the tables still has it."""
    store = LearnerStore(pool, "one")
    through = 3 * STRETCH
    term = await committed(pool, store, through)
    await store.write_checkpoint(term, Applied(1, through - 1, through - 1), [b"a"])
    await store.write_checkpoint(term, Applied(1, through, through), [b"b"])
    assert await store.forget(STRETCH + 10) == 0
    assert await versions(pool) == list(range(1, through + 1))
    assert await pool.fetchval("SELECT count(*) FROM checkpoint_chunks") == 2


async def test_few_kept_versions_are_few(pool: asyncpg.Pool) -> None:
    store = LearnerStore(pool, "one", patience_seconds=0)
    through = STRETCH + 100
    term = await committed(pool, store, through)
    await store.write_checkpoint(term, Applied(1, through, through), [b"a"])
    assert await store.forget(10) == through - 11
    assert await versions(pool) == list(range(through - 10, through + 1))


async def test_frames_of_an_earlier_release_are_forgotten_and_those_of_a_lap_before(
    pool: asyncpg.Pool,
) -> None:
    store = LearnerStore(pool, "one", patience_seconds=0)
    through = 9 * STRETCH + 100
    term = await committed(pool, store, through)
    await pool.execute("DELETE FROM ONLY frames_0 WHERE version < 5")
    await pool.execute(
        "INSERT INTO frames (shard, version, epoch, through_sequence, frame)"
        " SELECT 0, v, 1, v, '\\x00' FROM generate_series(1, 4) v"
    )
    await store.write_checkpoint(term, Applied(1, through, through), [b"a"])
    await store.forget(10_000)
    left = await versions(pool)
    assert left[-10_001:] == list(range(through - 10_000, through + 1))
    assert left[0] > through - 10_000 - 2 * STRETCH
    assert left == list(range(left[0], through + 1))


async def test_who_reads_a_table_for_long_stops_nobody(pool: asyncpg.Pool) -> None:
    """As a backup does, which holds all tables."""
    store = LearnerStore(pool, "one", patience_seconds=0)
    through = 3 * STRETCH
    term = await committed(pool, store, through)
    await store.write_checkpoint(term, Applied(1, through, through), [b"a"])
    async with pool.acquire() as backup, backup.transaction():
        await backup.execute("LOCK TABLE frames IN ACCESS SHARE MODE")
        await store.forget(10)
        assert await versions(pool) == list(range(through - 10, through + 1))
        before, after = Applied(1, through, through), Applied(1, through + 1, through + 1)
        await store.commit_step(term, before, after, b"next")


async def test_a_backup_has_all_that_it_began_with(
    pool: asyncpg.Pool, database: FreshDatabase
) -> None:
    store = LearnerStore(pool, "one", patience_seconds=0)
    through = 3 * STRETCH
    term = await committed(pool, store, through)
    await store.write_checkpoint(term, Applied(1, through - 1, through - 1), [b"a"])
    async with held_snapshot(database.feedback_dsn, SCHEMA) as snapshot:
        await store.write_checkpoint(term, Applied(1, through, through), [b"b"])
        await store.forget(10)
        assert await versions(pool) == list(range(through - 10, through + 1))
        reader = snapshot.connection
        assert await reader.fetchval("SELECT count(*) FROM feedback.frames") == through
        assert await reader.fetchval("SELECT content FROM feedback.checkpoint_chunks") == b"a"


async def test_a_checkpoint_that_is_read_stays_and_old_ones_leave_their_tables(
    pool: asyncpg.Pool,
) -> None:
    store, frames = LearnerStore(pool, "one", patience_seconds=0), FrameStore(pool)
    term = await committed(pool, store, 100)
    await store.write_checkpoint(term, Applied(1, 90, 90), [b"", b""])
    pin = await frames.pin_newest()
    assert pin is not None
    for version in (95, 96, 97, 98, 99):
        await store.write_checkpoint(term, Applied(1, version, version), [b"", b""])
        await store.forget(0)
        kept = await pool.fetch("SELECT DISTINCT version FROM checkpoint_chunks ORDER BY 1")
        assert [row[0] for row in kept] == [90, version]
        assert len([chunk async for chunk in frames.checkpoint_chunks(pin.checkpoint)]) == 2
    await pin.release()
    await store.forget(0)
    assert await pool.fetchval("SELECT count(*) FROM checkpoint_chunks") == 2
    assert await pool.fetchval("SELECT count(*) FROM ONLY checkpoint_chunks") == 0
    assert (await store.last_checkpoint()).version == 99


async def test_old_slates_leave_the_log_and_nothing_else_does(pool: asyncpg.Pool) -> None:
    """Truths 1 and 3: order is that of sequences, wherever an entry lives."""
    store = LearnerStore(pool, "one", patience_seconds=0)
    entries = [SLATE, TICK, SLATE, SLATE, TICK]
    async with pool.acquire() as connection:
        last = await append_entries(connection, [NewEntry("t", b"u", one) for one in entries])
        assert last.sequence == 5
        assert [row.entry for row in await read_log(connection, 0, 10)] == entries
    # In the tables of slates only, all in that of this month.
    assert await pool.fetchval("SELECT count(*) FROM ONLY log") == 2
    term = await committed(pool, store, 20)
    await pool.execute("UPDATE log SET accepted_at = accepted_at - interval '89 days'")
    await store.write_checkpoint(term, Applied(1, 20, 20), [b""])
    await store.forget_slates(90)
    assert await pool.fetchval("SELECT count(*) FROM log") == 5
    await pool.execute("UPDATE log SET accepted_at = accepted_at - interval '2 days'")
    # Slates that no checkpoint reflects may still be learned from.
    await pool.execute("UPDATE checkpoints SET through_sequence = 3")
    await store.forget_slates(90)
    assert await pool.fetchval("SELECT count(*) FROM log") == 5
    await pool.execute("UPDATE checkpoints SET through_sequence = 5")
    await store.forget_slates(90)
    async with pool.acquire() as connection:
        assert [row.sequence for row in await read_log(connection, 0, 10)] == [2, 5]
