"""Judges the suite by the journal, an own fold of the feed, and reads; never by its own word."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import grpc

from harken.log.v1 import entry_pb2
from harken.profile.v1 import profile_service_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from tests.chaos.model import Journal
from tests.chaos.report import DIGESTS, DOUBLED, LOST, ORDER, POSITION, READ, UNANSWERED, Report
from tests.chaos.traffic import Sender
from tests.end_to_end.clients import Caller
from tests.waiting import until

_SETTLE_SECONDS = 60.0
_SETTLED_SECONDS = 1.0
"""Once nothing has come for a minute, the next users are not given one each."""
_ROWS = 5_000
_AT_ONCE = 16


async def check_log(server: EmbeddedPostgres, journal: Journal, report: Report) -> None:
    """Truths 1, 2 and 3: each acknowledged event is in the log once, where its position says."""
    logged: dict[str, int] = {}
    reached: Counter[str] = Counter()
    disordered: set[str] = set()
    async for sequence, one in _logged_events(server):
        name, who = one.event_id, one.user_key.decode()[2:]
        if name in logged:
            report.complain(DOUBLED, "journal", f"{name} at {logged[name]} and {sequence}")
            continue
        logged[name] = sequence
        acknowledged = journal.events.get(name)
        if acknowledged is None:
            continue
        if (who, one.item_id) != (acknowledged.user, acknowledged.item):
            report.complain(LOST, "journal", f"{name} has another payload")
            continue
        if sequence != acknowledged.sequence:
            report.complain(POSITION, "journal", f"{name}: {acknowledged}, log {sequence}")
        if journal.of_user[who][reached[who]].event_id != name:
            disordered.add(who)
        reached[who] += 1
    for name in journal.events:
        if name not in logged:
            report.complain(LOST, "journal", name)
    for who in sorted(disordered):
        report.complain(ORDER, "chains of users", who)


async def _logged_events(
    server: EmbeddedPostgres,
) -> AsyncIterator[tuple[int, entry_pb2.LoggedEvent]]:
    """Yield what the log holds, a part at a time: a long campaign's does not fit twice."""
    connection = await asyncpg.connect(server.admin_dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            async for row in connection.cursor(
                "SELECT sequence, entry FROM feedback.log WHERE user_key IS NOT NULL "
                "ORDER BY sequence",
                prefetch=_ROWS,
            ):
                entry = entry_pb2.Entry.FromString(row["entry"])
                if entry.HasField("event"):
                    yield row["sequence"], entry.event
    finally:
        await connection.close()


async def check_profiles(senders: list[Sender], journal: Journal, report: Report) -> None:
    """Truth 2: profile counts each event once, and has seen each item."""
    users = iter([(sender, who) for sender in senders for who in sender.users])

    async def check_some() -> None:
        seconds = _SETTLE_SECONDS
        for sender, who in users:
            if not await _check_profile(sender, who, journal, report, seconds):
                seconds = _SETTLED_SECONDS

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(check_some())


async def _check_profile(
    sender: Sender, who: str, journal: Journal, report: Report, seconds: float
) -> bool:
    """Return whether there was an answer to judge."""
    fresh: list[profile_service_pb2.GetProfileResponse] = []

    async def answered() -> str:
        answer = await sender.profile(who, wait_seconds=5)
        if answer.stale:
            return "stale"
        fresh.append(answer)
        return ""

    if not await _in_time(answered, f"profile of {who}", report, seconds):
        return False
    answer = fresh[0]
    chain = journal.of_user[who]
    counted = answer.profile.counters.events
    if counted != len(chain):
        kind = DOUBLED if counted > len(chain) else LOST
        report.complain(kind, "profiles at rest", f"{who}: {counted}, not {len(chain)}")
    lacking = journal.played[who] - set(answer.profile.seen_item_ids)
    if lacking:
        report.complain(READ, "profiles at rest", f"{who} lacks {len(lacking)} seen items")
    return True


async def check_replicas(caller: Caller, rankers: int, report: Report) -> None:
    """Truth 6: replicas at one version have one digest, that of an own fold of the feed."""

    digests: list[bytes] = []

    async def compared() -> str:
        states = [await caller.state(replica) for replica in range(rankers)]
        versions = [state.version for state in states]
        head = max(state.head_version for state in states)
        if any(version != head for version in versions):
            return f"versions {versions}, the head is {head}"
        own = await caller.fold_of_feed(head)
        digests[:] = [own, *(state.tenants[0].digest for state in states)]
        return ""

    if not await _in_time(compared, "rankers and the feed at one version", report):
        return
    for replica, digest in enumerate(digests[1:]):
        report.digests_compared += 1
        if digest != digests[0]:
            report.complain(DIGESTS, "own fold of the feed", f"ranker {replica + 1}")


async def _in_time(
    done: Callable[[], Awaitable[str]], what: str, report: Report, seconds: float = _SETTLE_SECONDS
) -> bool:
    """Try again until nothing is lacking; say of what did not come to that only that it did not."""
    lacking = "no answer"

    async def tried() -> bool:
        nonlocal lacking
        try:
            lacking = await done()
        except grpc.aio.AioRpcError as error:
            lacking = f"{error.code().name} {error.details()}"
        except (AssertionError, TimeoutError, asyncio.InvalidStateError) as error:
            lacking = repr(error)
        return not lacking

    try:
        await until(tried, what, seconds)
    except AssertionError:
        report.complain(UNANSWERED, what.partition(" of ")[0], f"{what}: {lacking}"[:300])
        return False
    return True


async def check_all(
    server: EmbeddedPostgres, caller: Caller, senders: list[Sender], journal: Journal,
    rankers: int, report: Report,
) -> None:  # fmt: skip
    """Ask every oracle, with traffic and faults at rest."""
    await check_log(server, journal, report)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(check_profiles(senders, journal, report))
        tasks.create_task(check_replicas(caller, rankers, report))
