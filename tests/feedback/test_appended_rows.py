"""What the flusher hands over is what was committed to the log, in its order (truth 3)."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from harken.internal.log.v1 import entry_pb2
from services.common.database import open_pool
from services.common.migrations import migrate
from services.common.pipeline_latency import ACCEPTED, PipelineLatency
from services.common.reloadable import Reloadable
from services.common.vault.vault import NoVault
from services.feedback.catalogue.item_directory import ItemDirectory
from services.feedback.events.domain.event_cleaning import Reason
from services.feedback.events.event_flusher import EventFlusher, FlusherMetrics
from services.feedback.events.repeated_events import Fate
from services.feedback.log.log_store import (
    LogRow,
    NewEntry,
    PreparedEvents,
    append_entries,
    read_log,
)
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import ROOT

CALLS = 120
SLATE = b"\xa2\x01\x02xy"
"""Begins as an entry with a slate does, which has a table of its own."""
POISON = b"poison"
_REFUSE_POISON = f"""
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'poison'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.entry = '\\x{POISON.hex()}') EXECUTE FUNCTION refuse();
"""


@pytest_asyncio.fixture
async def pool(database: FreshDatabase) -> AsyncIterator[asyncpg.Pool]:
    migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")
    own = await open_pool(database.feedback_dsn, SCHEMA, 4)
    yield own
    await own.close()


class Handed:
    """What was handed over, call by call."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, list[LogRow]]] = []

    def __call__(self, epoch: int, before: int, rows: list[LogRow]) -> None:
        self.calls.append((epoch, before, rows))

    @property
    def rows(self) -> list[LogRow]:
        return [row for _, _, rows in self.calls for row in rows]


@contextlib.asynccontextmanager
async def flushing(pool: asyncpg.Pool, handed: Handed) -> AsyncIterator[EventFlusher]:
    registry = CollectorRegistry()
    directory = ItemDirectory()
    directory.add([("t", "i")])
    metrics = FlusherMetrics(registry, PipelineLatency(registry).stage(ACCEPTED))
    flusher = EventFlusher(pool, directory, metrics, 50, Reloadable(100_000), NoVault(), handed)
    running = asyncio.create_task(flusher.run())
    yield flusher
    flusher.close()
    await running


def entry_of(name: str, value: float) -> bytes:
    event = entry_pb2.LoggedEvent(event_id=name, value=value)
    return entry_pb2.Entry(event=event).SerializeToString()


def events_of(chance: random.Random, names: list[str]) -> PreparedEvents:
    """Return events of these names: some quarantined, some under the id of another."""
    size = len(names)
    return PreparedEvents(
        ["t"] * size,
        names,
        chance.choices(["i", "unknown"], [5, 1], k=size),
        [chance.choice([b"f", b"g"]) for _ in names],
        [b"u"] * size,
        chance.choices([0, int(Reason.UNKNOWN_TYPE)], [5, 1], k=size),
        [entry_of(name, chance.random()) for name in names],
    )


async def whole_log(pool: asyncpg.Pool) -> list[LogRow]:
    async with pool.acquire() as connection:
        return await read_log(connection, 0, 100_000)


async def test_what_is_handed_over_is_what_the_log_has(pool: asyncpg.Pool) -> None:
    """Calls at once, with ids that come again, slates, and a writer of another process between."""
    handed = Handed()
    chance = random.Random(1)
    accepted = 0

    async def record(flusher: EventFlusher) -> None:
        nonlocal accepted
        await asyncio.sleep(chance.random() / 10)
        # From few names, so that many come again, also within an insert.
        names = [f"e{chance.randrange(400)}" for _ in range(chance.choice([1, 1, 3, 40]))]
        results = await flusher.append(events_of(chance, names), patient=chance.random() < 0.2)
        accepted += results.fates.count(Fate.ACCEPTED)

    async def append(flusher: EventFlusher) -> None:
        await asyncio.sleep(chance.random() / 10)
        entries = [NewEntry("t", b"u", chance.choice([SLATE, b"other"])) for _ in range(3)]
        await flusher.append_entries(entries)

    async def write_elsewhere() -> None:
        async with pool.acquire() as connection:
            await asyncio.sleep(chance.random() / 10)
            await append_entries(connection, [NewEntry("t", None, b"elsewhere")] * 2)

    async with flushing(pool, handed) as flusher:
        work = [record(flusher) for _ in range(CALLS)]
        work += [append(flusher) for _ in range(20)] + [write_elsewhere() for _ in range(20)]
        await asyncio.gather(*work)
    log = await whole_log(pool)
    assert [row.sequence for row in log] == list(range(1, len(log) + 1))
    assert handed.rows == [row for row in log if row.entry != b"elsewhere"]
    assert len(handed.rows) == accepted + 20 * 3
    assert sum(row.entry == b"elsewhere" for row in log) == 40
    for epoch, before, rows in handed.calls:
        assert epoch == 1
        assert [row.sequence for row in rows] == list(range(before + 1, before + 1 + len(rows)))
        assert len({row.accepted_at_us for row in rows}) == 1
    times = [row.accepted_at_us for row in log]
    assert times == sorted(times)
    assert all(rows for _, _, rows in handed.calls)


async def test_nothing_is_handed_over_before_its_commit(
    pool: asyncpg.Pool, admin: asyncpg.Connection
) -> None:
    """The store refuses only at commit, after all statements were answered."""
    await admin.execute(f"SET search_path = {SCHEMA}; {_REFUSE_POISON}")
    handed = Handed()
    async with flushing(pool, handed) as flusher:
        events = PreparedEvents(["t"], ["e"], ["i"], [b"f"], [b"u"], [0], [POISON])
        with pytest.raises(asyncpg.RaiseError):
            await flusher.append(events, patient=False)
        with pytest.raises(asyncpg.RaiseError):
            await flusher.append_entries([NewEntry("t", b"u", POISON)])
        assert not handed.calls
        await flusher.append_entries([NewEntry("t", b"u", b"fine")])
    assert handed.rows == await whole_log(pool)
    assert [row.entry for row in handed.rows] == [b"fine"]


async def test_nothing_accepted_nothing_handed_over(pool: asyncpg.Pool) -> None:
    handed = Handed()
    async with flushing(pool, handed) as flusher:
        unknown = PreparedEvents(["t"], ["e"], ["none"], [b"f"], [b"u"], [0], [b"x"])
        results = await flusher.append(unknown, patient=False)
        assert list(results.fates) == [Fate.QUARANTINED]
        fine = PreparedEvents(["t"], ["d"], ["i"], [b"f"], [b"u"], [0], [b"x"])
        for _ in range(2):
            await flusher.append(fine, patient=False)
    assert len(handed.calls) == 1
    assert handed.rows == await whole_log(pool)
