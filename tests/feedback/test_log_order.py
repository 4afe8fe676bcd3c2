"""Log order is commit order (truth 3)."""

import asyncio
import random

import asyncpg

from services.common.migrations import migrate
from services.feedback.log.log_store import (
    NewEntry,
    PreparedEvents,
    append_entries,
    append_events,
    read_log,
)
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import ROOT

WRITERS = 8
BATCHES = 40


def events_of(names: list[str]) -> PreparedEvents:
    size = len(names)
    entries = [name.encode() for name in names]
    return PreparedEvents(
        ["t"] * size, names, ["i"] * size, [b"f"] * size, [b"u"] * size, [0] * size, entries
    )


async def test_a_cursor_that_follows_the_log_skips_nothing(database: FreshDatabase) -> None:
    """Eight writers, each on a connection of its own, some in long transactions, while a reader
    follows. With sequences taken without the lock it skips rows that commit late.
    """
    migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")
    settings = {"search_path": SCHEMA}
    pool = await asyncpg.create_pool(
        database.feedback_dsn, min_size=WRITERS + 1, max_size=WRITERS + 1, server_settings=settings
    )
    done = asyncio.Event()
    written: set[str] = set()

    async def write(writer: int) -> None:
        chance = random.Random(writer)
        for batch in range(BATCHES):
            names = [f"{writer}-{batch}-{n}" for n in range(chance.randint(1, 5))]
            async with pool.acquire() as connection:
                if chance.random() < 0.3:
                    async with connection.transaction():
                        entries = [NewEntry("t", None, name.encode()) for name in names]
                        await append_entries(connection, entries)
                        await connection.execute("SELECT pg_sleep($1)", chance.random() / 200)
                else:
                    await append_events(connection, events_of(names))
            written.update(names)

    async def read() -> list[tuple[int, str]]:
        seen: list[tuple[int, str]] = []
        async with pool.acquire() as connection:
            while True:
                finished = done.is_set()
                rows = await read_log(connection, seen[-1][0] if seen else 0, 100)
                seen += [(row.sequence, row.entry.decode()) for row in rows]
                if finished and not rows:
                    return seen

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    done.set()
    seen = await reader
    await pool.close()
    assert [sequence for sequence, _ in seen] == list(range(1, len(seen) + 1))
    assert sorted(name for _, name in seen) == sorted(written)
