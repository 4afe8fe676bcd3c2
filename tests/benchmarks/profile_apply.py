"""How long profile takes to apply entries. Its bias: applying alone, on a quiet machine.

Flattering: entries are made before the clock starts, no RPC is served meanwhile, PostgreSQL is on
this machine over a Unix socket, and single events come one after the other, never in a crowd.
Unkind: fsync is on. Made-up users and items, drawn evenly. Hardware of the figures in README and
DECISIONS: 2 shared cores of an AMD EPYC; compare runs on one machine only.

Run as `python -m tests.benchmarks.profile_apply`. Prints events a second of a backlog of 256
stretches of 1,000 events, for two sizes of catalogue, and of one user; events a second of single
events that gathered for half a second at 100 a second; p50 and p99 of one event until readers see
it; and bytes per event of the tables, after VACUUM, and of the write-ahead log.
"""

import random
import tempfile
import time
from pathlib import Path

import asyncpg
import numpy as np
import uvloop
from prometheus_client import CollectorRegistry

from services.cli.embedded_postgres import EmbeddedPostgres
from services.common.database import one_row, open_pool
from services.common.migrations import migrate
from services.common.vault.vault import NoVault
from services.feed.entries import Entries
from services.profile.entries_applier import EntriesApplier
from services.profile.metrics import ProfileMetrics
from services.profile.process import MIGRATIONS, SCHEMA
from services.profile.store.attribute_store import AttributeStore
from services.profile.store.history_store import HistoryStore
from services.profile.store.link_store import LinkStore
from tests.profile.script import Happening, Script

GATHERED = 50


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as server,
    ):
        dsn = server.dsn("harken_profile")
        migrate(dsn, SCHEMA, MIGRATIONS)
        uvloop.run(_measure(dsn))


class _Disk:
    """Bytes of the tables and of the write-ahead log since the last look."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._before = (0, 0)

    async def look(self) -> tuple[int, int]:
        await self._connection.execute("VACUUM")
        row = await one_row(
            self._connection,
            "SELECT sum(pg_total_relation_size(oid))::bigint,"
            " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint FROM pg_class"
            " WHERE relnamespace = 'profile'::regnamespace AND relkind = 'r'",
        )
        now = (row[0], row[1])
        found = (now[0] - self._before[0], now[1] - self._before[1])
        self._before = now
        return found


async def _measure(dsn: str) -> None:
    pool = await open_pool(dsn, SCHEMA, 2)
    applier = await EntriesApplier.open(
        HistoryStore(pool),
        AttributeStore(pool, NoVault()),
        LinkStore(pool),
        ProfileMetrics(CollectorRegistry()),
    )
    connection = await asyncpg.connect(dsn)
    disk = _Disk(connection)
    await disk.look()
    script, rng = Script(), random.Random(1)
    for users, items in ((943, 1682), (50_000, 20_000), (1, 20_000)):
        backlog = [_stretch(script, rng, 1000, users, items) for _ in range(256)]
        seconds = await _timed(applier, backlog)
        print(f"backlog, {users} users: {_rates(256_000, seconds, await disk.look())}")
    singles = [_stretch(script, rng, 1, 943, 1682) for _ in range(400 * GATHERED)]
    seconds = 0.0
    for begin in range(0, len(singles), GATHERED):
        seconds += await _timed(applier, singles[begin : begin + GATHERED])
    print(f"singles, {GATHERED} at once: {_rates(len(singles), seconds, await disk.look())}")
    visible = [await _timed(applier, [_stretch(script, rng, 1, 943, 1682)]) for _ in range(1000)]
    p50, p99 = np.percentile(visible, [50, 99]) * 1000
    print(f"one event: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    await connection.close()
    await pool.close()


async def _timed(applier: EntriesApplier, entries: list[Entries]) -> float:
    started = time.perf_counter()
    await applier.apply(entries)
    return time.perf_counter() - started


def _rates(events: int, seconds: float, disk: tuple[int, int]) -> str:
    tables, log = disk[0] / events, disk[1] / events
    return f"{events / seconds:,.0f} events/s; bytes per event: tables {tables:.0f}, log {log:.0f}"


def _stretch(script: Script, rng: random.Random, events: int, users: int, items: int) -> Entries:
    return script.stretch(
        [
            Happening(
                f"user-{rng.randrange(users)}", f"item-{rng.randrange(items)}", "rating", 4.0,
                time_us=1_700_000_000_000_000 + 10_000 * (script.sequence + n),
            )
            for n in range(events)
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
