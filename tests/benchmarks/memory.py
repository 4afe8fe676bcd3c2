"""Memory of each process at rest, and what a million users or items add to it.

Its bias: synthetic. Titles have three words, users have `--events` events on items by chance, and
every event is on another item, which is more than real users have; item vectors are 128 wide, the
default. Lines are fitted to some thousand items and users and drawn out to a million: what
reserves memory in steps (heaps, tables that double) makes that good to about a third. The ranker
holds a user only after a request for him, up to HARKEN_RANKER_MAX_CACHED_USERS: so each user is
asked for once, and these slates are not logged unless `--logged-share` says so. Frames are all kept
(10,000 versions), as after a short life. Feedback holds the newest 16 MiB of frames in memory: the
smallest number of items must fill that, or it counts as memory of items and users.

    python -m tests.benchmarks.memory [--items 60000 90000 120000] [--users 1000 2000 4000]
        [--events 5] [--logged-share 0]

Prints RSS and PSS (what is shared with others counted in parts; Linux only) of idle processes, the
lines, and bytes on disk of each table.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import grpc
import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.catch_up import wait_for_rankers
from services.cli.clients import Clients, connect
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from services.cli.suite import Kind, Suite, SuiteConfig

MIB = 1 << 20
BATCH = 500
TABLES = (
    "SELECT n.nspname || '.' || c.relname, pg_total_relation_size(c.oid)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname IN ('feedback', 'profile') AND c.relkind = 'r'"
    " AND pg_total_relation_size(c.oid) > 100000 ORDER BY 2 DESC"
)


@dataclass(frozen=True)
class Memory:
    """Bytes of one process and its children."""

    rss: int
    pss: int


def memory_of(pid: int) -> Memory:
    """Return what a process and its children hold."""
    rss = pss = 0
    for one in (pid, *children_of(pid)):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        values = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
        rss += values["Rss"] * 1024
        pss += values["Pss"] * 1024
    return Memory(rss, pss)


def children_of(pid: int) -> list[int]:
    """Return the children of a process, and theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children_of(int(child))]
    return found


class Measured:
    """A suite that grows."""

    def __init__(self, suite: Suite, server: EmbeddedPostgres, clients: Clients) -> None:
        self.suite = suite
        self.server = server
        self.clients = clients
        self.names: list[str] = []
        self.users = 0

    def memory(self) -> dict[str, Memory]:
        """Return what each process holds."""
        found = {name: p.pid for name, p in self.suite.processes.items()}
        found["postgres"] = self.server.pid
        return {name: memory_of(pid) for name, pid in found.items() if pid is not None}

    def disk(self) -> dict[str, int]:
        """Return the bytes of both schemas."""
        rows = self.server.execute(
            "SELECT n.nspname, sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('feedback', 'profile') AND c.relkind = 'r' GROUP BY 1"
        ).splitlines()
        return {f"disk {row.split('|')[0]}": int(row.split("|")[1]) for row in rows}

    def feed_bytes(self) -> int:
        """Return the bytes of all frames, as subscribers of everything get them."""
        return int(
            self.server.execute(
                "SELECT coalesce(sum(length(frame)), 0)::bigint FROM feedback.frames"
            )
        )

    async def sizes(self) -> dict[str, int]:
        """Return PSS by process and bytes on disk, once all is quiet."""
        previous: dict[str, int] = {}
        for _ in range(20):
            now = {name: one.pss for name, one in self.memory().items()}
            if previous and all(abs(now[k] - previous[k]) < MIB for k in now if k != "postgres"):
                break
            previous = now
            await asyncio.sleep(0.5)
        return {**now, **self.disk()}

    async def grow_items(self, count: int) -> None:
        """Have `count` items in the catalogue, placed and served."""
        chance = random.Random(count)
        position = b""
        while len(self.names) < count:
            fresh = range(len(self.names), min(count, len(self.names) + BATCH))
            items = [
                item_pb2.Item(
                    item_id=f"item-{n:08d}",
                    title=" ".join(f"word{chance.randrange(5000)}" for _ in range(3)),
                    categories=[f"category-{chance.randrange(50)}"],
                )
                for n in fresh
            ]
            request = catalog_service_pb2.UpsertItemsRequest(items=items)
            position = (await self.clients.catalog.UpsertItems(request)).position
            self.names += [item.item_id for item in items]
        await self.reach(position)

    async def grow_users(self, count: int, events: int) -> None:
        """Have `count` users of `events` events each, each held by the ranker."""
        chance = random.Random(count)
        position = b""
        first = self.users
        for begin in range(first, count, BATCH // events):
            batch = [
                event_pb2.Event(
                    event_id=f"{user}-{number}",
                    subject=subject_pb2.Subject(user_id=f"user-{user:08d}"),
                    item_id=item,
                    type="view",
                )
                for user in range(begin, min(count, begin + BATCH // events))
                for number, item in enumerate(chance.sample(self.names, events))
            ]
            request = feedback_service_pb2.RecordEventsRequest(events=batch)
            position = (await self.clients.feedback.RecordEvents(request)).position
        await self.reach(position)
        for user in range(first, count):
            await self.clients.ranker.Recommend(
                ranker_service_pb2.RecommendRequest(subject=_subject(user), count=10), timeout=60
            )
        self.users = count

    async def reach(self, position: bytes) -> None:
        """Wait until ranker and profile reflect a position."""
        if not position:
            return
        await wait_for_rankers(self.clients, "default", position, timeout=300)
        request = profile_service_pb2.GetProfileRequest(
            subject=_subject(0), min_position=position, strict=True
        )
        request.wait_budget.FromSeconds(10)
        for _ in range(30):
            try:
                await self.clients.profile.GetProfile(request, timeout=30)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    continue
                # It is that far, and the user did nothing yet.
                assert error.code() is grpc.StatusCode.NOT_FOUND, error
            return


def _subject(user: int) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=f"user-{user:08d}")


def slopes(
    sizes: Sequence[int], found: Sequence[Mapping[str, int]]
) -> dict[str, tuple[float, float]]:
    """Return bytes per unit by line of least squares, and the furthest point from it in bytes."""
    fitted = {}
    for name in found[0]:
        values = np.array([one[name] for one in found], float)
        slope, base = np.polyfit(np.array(sizes, float), values, 1)
        off = np.abs(values - (slope * np.array(sizes) + base)).max()
        fitted[name] = (float(slope), float(off))
    return fitted


async def measure(measured: Measured, given: argparse.Namespace) -> None:
    """Grow and print."""
    print("idle, MiB               RSS      PSS")
    for name, memory in measured.memory().items():
        print(f"  {name:18} {memory.rss / MIB:8.0f} {memory.pss / MIB:8.0f}")
    tables = []
    feed: dict[str, tuple[int, int]] = {}
    for what, sizes in (("items", given.items), ("users", given.users)):
        found = []
        for size in sizes:
            began = time.monotonic()
            before = measured.feed_bytes()
            if what == "items":
                await measured.grow_items(size)
                feed["item"] = (measured.feed_bytes() - before, size - sizes[-2])
            else:
                await measured.grow_users(size, given.events)
                events = (size - sizes[-2]) * given.events
                feed["event"] = (measured.feed_bytes() - before, events)
            found.append(await measured.sizes())
            show = ", ".join(f"{k} {v / MIB:.0f}" for k, v in found[-1].items())
            print(f"{size:,} {what} ({time.monotonic() - began:.0f} s), MiB: {show}", flush=True)
        tables.append(slopes(sizes, found))
    items, users = tables
    print("GiB per million           items            users   (+- furthest point, MiB)")
    for name in items:
        print(
            f"  {name:18} {items[name][0] * 1e6 / 2**30:8.2f} ({items[name][1] / MIB:4.1f})"
            f" {users[name][0] * 1e6 / 2**30:8.2f} ({users[name][1] / MIB:4.1f})"
        )
    print(f"{len(measured.names):,} items, {measured.users:,} users, {given.events} events each")
    for what, (size, count) in feed.items():
        print(f"feed: {size / count:,.0f} bytes for each {what} (steps of {BATCH})")
    print("on disk with indexes    MiB        rows    bytes a row")
    for row in measured.server.execute(TABLES).splitlines():
        name, size = row.split("|")
        rows = int(measured.server.execute(f"SELECT count(*) FROM {name}"))
        print(f"  {name:24} {int(size) / MIB:6.1f} {rows:10,} {int(size) / max(rows, 1):10,.0f}")


@contextlib.asynccontextmanager
async def measured_suite(
    environment: Mapping[Kind, Mapping[str, str]] = MappingProxyType({}),
) -> AsyncIterator[Measured]:
    """Run a suite of its own, on a PostgreSQL of its own; settings are by kind of service."""
    guardian = Guardian()
    with tempfile.TemporaryDirectory(prefix="harken-memory-") as folder:
        try:
            with EmbeddedPostgres(Path(folder) / "postgres", guardian) as server:
                config = SuiteConfig(
                    Path(folder) / "suite", server.dsn("harken_feedback"),
                    server.dsn("harken_profile"), split_feedback=True, environment=environment,
                )  # fmt: skip
                suite = await asyncio.to_thread(Suite(config, guardian).__enter__)
                try:
                    async with connect(suite.endpoints) as clients:
                        yield Measured(suite, server, clients)
                finally:
                    await asyncio.to_thread(suite.stop)
        finally:
            guardian.close()


async def main() -> None:
    """Run a suite, grow it, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, nargs="+", default=[60000, 90000, 120000])
    parser.add_argument("--users", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--events", type=int, default=5)
    parser.add_argument("--logged-share", type=float, default=0.0, help="of slates")
    given = parser.parse_args()
    share = {"HARKEN_RANKER_LOGGED_SHARE": str(given.logged_share)}
    async with measured_suite({"ranker": share}) as measured:
        await measure(measured, given)


if __name__ == "__main__":
    asyncio.run(main())
