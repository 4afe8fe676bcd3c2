"""Bytes that an item, a user, an event and a slate take: in each process, and on disk by table.

Its bias: synthetic, as tests.benchmarks.memory, which says what a million of them take; here it is
what one more takes when there are some already, so what is reserved in steps (heaps, tables that
double) makes the memory of single units good to about a third. Memory is PSS. What is bounded
(frames held and kept, checkpoints) is filled before, and its tables are listed as one, "bounded".

    python -m tests.benchmarks.sizes [--items 20000] [--users 4000] [--events 5]
"""

import argparse
import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Mapping

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2, feedback_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from tests.benchmarks.memory import BATCH, Measured, measured_suite

_AT_ONCE = 8
_BOUNDED = ("feedback.frames", "feedback.checkpoint")
_TABLES = (
    "SELECT n.nspname || '.' || c.relname, pg_total_relation_size(c.oid)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname IN ('feedback', 'profile') AND c.relkind = 'r'"
)


async def _sizes(measured: Measured) -> Counter[str]:
    """Return bytes by process and by table, once all is quiet."""
    found: Counter[str] = Counter({
        name: size
        for name, size in (await measured.sizes()).items()
        if name != "postgres" and not name.startswith("disk")
    })  # fmt: skip
    for row in (await asyncio.to_thread(measured.server.execute, _TABLES)).splitlines():
        table, size = row.split("|")
        # Children of one table take turns: they are one.
        name = "feedback.log (slates)" if table.startswith("feedback.log_slates") else table
        found["bounded" if table.startswith(_BOUNDED) else name] += int(size)
    return found


def _subject(user: int) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=f"user-{user:08d}")


async def _record(measured: Measured, users: int, each: int, name: str) -> None:
    """Record events of each user on items by chance."""
    chance = random.Random(name)
    drawn = [user for user in range(users) for _ in range(each)]
    position = b""
    for begin in range(0, len(drawn), BATCH):
        events = [
            event_pb2.Event(
                event_id=f"{name}-{number:036d}",
                subject=_subject(user),
                item_id=chance.choice(measured.names),
                type="view",
            )
            for number, user in enumerate(drawn[begin : begin + BATCH], begin)
        ]
        request = feedback_service_pb2.RecordEventsRequest(events=events)
        position = (await measured.clients.feedback.RecordEvents(request)).position
    await measured.reach(position)


async def _slates(measured: Measured, users: int) -> None:
    """Have each user shown a slate of ten."""
    waiting = list(range(users))

    async def ask() -> None:
        while waiting:
            request = ranker_service_pb2.RecommendRequest(subject=_subject(waiting.pop()), count=10)
            await measured.clients.ranker.Recommend(request, timeout=60)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(ask())
    # Logged at most a second later.
    await asyncio.sleep(2.0)


def _show(units: Mapping[str, int], sizes: list[Counter[str]]) -> None:
    print("bytes for each" + " " * 12 + "".join(f"{unit:>12}" for unit in units))
    for name in sorted(sizes[-1]):
        grown = [after[name] - before[name] for before, after in itertools.pairwise(sizes)]
        each = [size / count for size, count in zip(grown, units.values(), strict=True)]
        if any(abs(one) >= 1 for one in each):
            print(f"{name:26}" + "".join(f"{one:12,.0f}" for one in each))


async def _measure(measured: Measured, given: argparse.Namespace) -> None:
    # Fills what is bounded, so that it counts for nobody.
    await measured.grow_items(given.items)
    await _record(measured, 200, 50, "before")
    sizes = [await _sizes(measured)]
    units = {
        "item": given.items,
        "user": given.users,
        "user held": given.users,
        "slate": given.users,
        "event": given.users * given.events,
        "later event": given.users * given.events,
    }
    await measured.grow_items(2 * given.items)
    sizes.append(await _sizes(measured))
    await _record(measured, given.users, 1, "first")
    sizes.append(await _sizes(measured))
    # The ranker begins to hold them; these slates are logged as well.
    await _slates(measured, given.users)
    sizes.append(await _sizes(measured))
    await _slates(measured, given.users)
    sizes.append(await _sizes(measured))
    for round_ in ("more", "again"):
        await _record(measured, given.users, given.events, round_)
        sizes.append(await _sizes(measured))
    print(f"{given.items:,} items, {given.users:,} users, {given.events} events each")
    print("user: with the first event; user held: by a ranker, and a slate")
    _show(units, sizes)


async def main() -> None:
    """Run a suite, grow it, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=4_000)
    parser.add_argument("--events", type=int, default=5, help="of each user")
    given = parser.parse_args()
    async with measured_suite() as measured:
        await _measure(measured, given)


if __name__ == "__main__":
    asyncio.run(main())
