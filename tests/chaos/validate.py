"""Judges the suite by the journal, an own fold of the feed, and reads; never by its own word."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

import asyncpg
import grpc

from harken.internal.log.v1 import entry_pb2
from harken.profile.v1 import profile_service_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from tests.chaos.entries_watch import EntriesWatch
from tests.chaos.model import Journal
from tests.chaos.report import DIGESTS, DOUBLED, LOST, ORDER, POSITION, READ, UNANSWERED, Report
from tests.chaos.traffic import Sender
from tests.end_to_end.clients import Caller
from tests.waiting import until

_SETTLE_SECONDS = 60.0
_SETTLED_SECONDS = 1.0
"""When one user's profile has not come for a minute, thousands of others are not waited for."""
_SEEN_NAMED = 5000
_AT_ONCE = 32


async def check_log(server: EmbeddedPostgres, journal: Journal, report: Report) -> None:
    """Truths 1, 2 and 3: each acknowledged event is in the log once, where its position says."""
    logged: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    order: dict[str, list[str]] = defaultdict(list)
    retractions: dict[str, list[int]] = defaultdict(list)
    connection = await asyncpg.connect(server.admin_dsn)
    async with connection.transaction():
        async for row in connection.cursor(
            "SELECT sequence, entry FROM feedback.log WHERE user_key IS NOT NULL ORDER BY sequence",
            prefetch=5000,
        ):
            entry = entry_pb2.Entry.FromString(row["entry"])
            match entry.WhichOneof("kind"):
                case "event":
                    one = entry.event
                    who = one.user_key.decode()[2:]
                    logged[one.event_id].append((row["sequence"], who, one.item_id))
                    order[who].append(one.event_id)
                case "event_retracted":
                    retractions[entry.event_retracted.event.event_id].append(row["sequence"])
    await connection.close()
    for name, acknowledged in journal.events.items():
        found = logged.get(name, [])
        if not found:
            report.complain(LOST, "journal", name)
        elif len(found) > 1:
            report.complain(DOUBLED, "journal", f"{name} at {[place for place, *_ in found]}")
        elif found[0][1:] != (acknowledged.user, acknowledged.item):
            report.complain(LOST, "journal", f"{name} has another payload")
        elif found[0][0] != acknowledged.sequence:
            report.complain(POSITION, "journal", f"{name}: {acknowledged}, log {found[0][0]}")
    for who, chain in journal.of_user.items():
        sent = [one.event_id for one in chain]
        if [name for name in order[who] if name in journal.events] != sent:
            report.complain(ORDER, "chains of users", who)
    for name, sequence in journal.retracted.items():
        found_at = retractions.get(name, [])
        if found_at != [sequence]:
            kind = LOST if not found_at else DOUBLED if len(found_at) > 1 else POSITION
            report.complain(kind, "journal", f"{name} taken back at {found_at}, not {sequence}")


async def check_facts(server: EmbeddedPostgres, journal: Journal, report: Report) -> None:
    """Truth 1: what was said of a user gets into the log, soon: the outbox delivers it."""

    async def lacking() -> list[str]:
        facts: dict[str, int] = {}
        connection = await asyncpg.connect(server.admin_dsn)
        for row in await connection.fetch(
            "SELECT entry FROM feedback.log WHERE user_key = ANY($1::bytea[]) ORDER BY sequence",
            [f"u:{who}".encode() for who in journal.facts],
        ):
            entry = entry_pb2.Entry.FromString(row["entry"])
            if entry.HasField("user_fact"):
                number = entry.user_fact.attributes.fields["number"].number_value
                facts[entry.user_fact.user_key.decode()[2:]] = int(number)
        await connection.close()
        return [who for who, value in journal.facts.items() if facts.get(who) != value]

    async def delivered() -> bool:
        return not await lacking()

    try:
        await until(delivered, "facts in the log", _SETTLE_SECONDS)
    except AssertionError:
        for who in await lacking():
            report.complain(LOST, "journal", f"the log lacks what was last said of {who}")


async def check_profiles(senders: list[Sender], journal: Journal, report: Report) -> None:
    """Truth 2: profile counts each event once, and has seen each item."""
    turn = asyncio.Semaphore(_AT_ONCE)
    seconds = _SETTLE_SECONDS

    async def checked(sender: Sender, who: str) -> None:
        nonlocal seconds
        async with turn:
            if not await _check_profile(sender, who, journal, report, seconds):
                seconds = _SETTLED_SECONDS

    async with asyncio.TaskGroup() as tasks:
        for sender in senders:
            for who in sender.users:
                tasks.create_task(checked(sender, who))


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
    chain = journal.standing(who)
    told = answer.profile.attributes["number"] if answer.profile.attributes.fields else None
    if told != journal.facts.get(who):
        report.complain(LOST, "profiles at rest", f"{who} is {told}, not {journal.facts.get(who)}")
    counted = answer.profile.counters.events
    if counted != len(chain):
        kind = DOUBLED if counted > len(chain) else LOST
        report.complain(kind, "profiles at rest", f"{who}: {counted}, not {len(chain)}")
    played, seen = {one.item for one in chain}, set(answer.profile.seen_item_ids)
    # A profile names the newest that many.
    if played != seen and (len(seen) < _SEEN_NAMED or seen - played):
        report.complain(READ, "profiles at rest", f"{who}: {len(played ^ seen)} seen items")
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
        if own is None:
            return f"the feed has gone beyond {head}"
        digests[:] = [own, *(state.tenants[0].digest for state in states)]
        return ""

    if not await _in_time(compared, "rankers and the feed at one version", report):
        return
    for replica, digest in enumerate(digests[1:]):
        report.digests_compared += 1
        if digest != digests[0]:
            report.complain(DIGESTS, "own fold of the feed", f"ranker {replica + 1}")


async def check_entries(server: EmbeddedPostgres, watch: EntriesWatch, report: Report) -> None:
    """Truth 5: the entries lane comes to the end of the log, and skips nothing on its way."""
    connection = await asyncpg.connect(server.admin_dsn)
    head = await connection.fetchval("SELECT head FROM feedback.shards")
    await connection.close()
    await _in_time(lambda: watch.check_rest(head), "all entries of the log", report)


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
    rankers: int, entries: EntriesWatch, report: Report,
) -> None:  # fmt: skip
    """Ask every oracle, with traffic and faults at rest."""
    await check_log(server, journal, report)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(check_facts(server, journal, report))
        tasks.create_task(check_profiles(senders, journal, report))
        tasks.create_task(check_replicas(caller, rankers, report))
        tasks.create_task(check_entries(server, entries, report))
