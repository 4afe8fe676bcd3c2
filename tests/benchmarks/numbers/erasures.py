"""Users who leave: erasures that survive what happens, what is unlearned, and exports."""

import argparse
import asyncio
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import grpc
import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.profile.v1 import erasure_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from harken.ranker.v1 import ranker_service_pb2
from services.cli.backup.postgres_clients import find_clients
from services.cli.backup.restore import restore_backup
from services.cli.backup.store_dsns import StoreDsns
from services.cli.backup.take import take_backup
from services.cli.clients import Clients, connect
from services.cli.suite import Suite, SuiteConfig
from services.feedback.learner.model.entries import (
    Event,
    ItemUpserted,
    Kind,
    LogEntry,
    UserUnlearned,
)
from services.feedback.learner.model.tenant_state import TenantState
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.benchmarks.numbers.table import Number
from tests.feedback.domain.learning import T0_US, activation
from tests.feedback.domain.test_retraction import learned, rules_of
from tests.waiting import until

SENTINEL = "q7sentinel"
"""Begins each id, item and context of who is erased, and nothing else."""
_ITEMS = 200
_EVENTS = 4
_AT_ONCE = 8
_GONE_SECONDS = 1.0


def _user(number: int) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=f"{SENTINEL}-u{number}")


def _events(number: int) -> list[event_pb2.Event]:
    return [
        event_pb2.Event(
            event_id=f"{SENTINEL}-e{number}-{one}",
            subject=_user(number),
            item_id=f"i{(number * 7 + one) % _ITEMS}",
            type="view",
            context={"page": f"{SENTINEL}-c{number}"},
        )
        for one in range(_EVENTS)
    ]


async def _persistent(call: "object", *arguments: object) -> object:
    """Call until it is answered: processes are killed meanwhile."""
    while True:
        try:
            return await call(*arguments, timeout=10)  # type: ignore[operator]
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)


async def _fill(clients: Clients) -> None:
    items = [item_pb2.Item(item_id=f"i{n}", title=f"Item {n}") for n in range(_ITEMS)]
    request = catalog_service_pb2.UpsertItemsRequest(items=items)
    answer = await clients.catalog.UpsertItems(request, timeout=60)
    slate = ranker_service_pb2.RecommendRequest(
        subject=subject_pb2.Subject(user_id="nobody"), count=1,
        min_learned_position=answer.position, preview=True,
    )  # fmt: skip
    slate.wait_budget.FromSeconds(10)
    await clients.ranker.Recommend(slate, timeout=30)


async def _each(numbers: range, work: "object") -> None:
    """Do some work for each number, eight at once."""
    left = iter(numbers)

    async def worker() -> None:
        for number in left:
            await work(number)  # type: ignore[operator]

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))


async def _gone_seconds(clients: Clients, number: int) -> float:
    """Return how long after EraseUser was asked for no slate knows the user."""
    began = time.monotonic()
    await _persistent(clients.profile.EraseUser, pb.EraseUserRequest(subject=_user(number)))
    slate = ranker_service_pb2.RecommendRequest(subject=_user(number), count=5, preview=True)
    while True:
        answer = await clients.ranker.Recommend(slate, timeout=10)
        if answer.unknown_subject and not answer.degradations:
            return time.monotonic() - began


async def _all_done(clients: Clients, count: int) -> None:
    request = pb.ListErasuresRequest(page_size=1000)
    while True:
        listed = await _persistent(clients.profile.ListErasures, request)
        assert isinstance(listed, pb.ListErasuresResponse)
        states = Counter(one.state for one in listed.erasures)
        if states[erasure_pb2.ERASURE_STATE_DONE] >= min(count, 1000):
            return
        await asyncio.sleep(1.0)


async def _kills(suite: Suite, stop: asyncio.Event) -> int:
    chance = random.Random(7)
    kills = 0
    names = [*suite.processes]
    while not stop.is_set():
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        name = chance.choice(names)
        await asyncio.to_thread(suite.processes[name].kill)
        await asyncio.to_thread(suite.start, name)
        kills += 1
    return kills


def _scan(files: Iterator[Path]) -> Counter[str]:
    """Return how often the sentinel stands in files, also as hexadecimal digits, by name."""
    found: Counter[str] = Counter()
    plain, digits = SENTINEL.encode(), SENTINEL.encode().hex().encode()
    for path in files:
        if path.is_file():
            content = path.read_bytes()
            count = content.count(plain) + content.count(digits)
            if count:
                found[path.name] += count
    return found


async def _by_relation(dsn: str, files: Counter[str]) -> dict[str, int]:
    """Return counts of files by the relation that they are of."""
    admin = await asyncpg.connect(dsn)
    rows = await admin.fetch(
        "SELECT pg_relation_filenode(oid)::text AS file, relname FROM pg_class"
        " WHERE pg_relation_filenode(oid) IS NOT NULL"
    )
    await admin.close()
    names = {row["file"]: row["relname"] for row in rows}
    return {names.get(name, name): count for name, count in files.most_common(20)}


async def _rows_with_sentinel(dsn: str) -> int:
    """Return how many rows of both schemas hold the sentinel, by SQL."""
    admin = await asyncpg.connect(dsn)
    found = 0
    columns = await admin.fetch(
        "SELECT c.oid::regclass::text AS relation, a.attname AS name FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('feedback', 'profile')"
        " AND a.atttypid IN ('bytea'::regtype, 'text'::regtype, 'jsonb'::regtype)"
    )
    for one in columns:
        found += await admin.fetchval(
            f"SELECT count(*) FROM {one['relation']} WHERE {one['name']}::text LIKE"
            f" '%{SENTINEL}%' OR {one['name']}::text LIKE '%{SENTINEL.encode().hex()}%'",
            timeout=600,
        )
    await admin.close()
    return found


async def _is_clean(dsn: str) -> bool:
    await asyncio.sleep(1.0)
    return not await _rows_with_sentinel(dsn)


async def _settled_files(dsn: str, full: bool) -> None:
    """Write out what is in memory, rewrite tables if `full`, and let old WAL go."""
    admin = await asyncpg.connect(dsn)
    if full:
        await admin.execute("VACUUM FULL", timeout=600)
    await admin.execute("CHECKPOINT", timeout=600)
    # Segments that are kept to be used again hold what they held until then.
    for _ in range(await admin.fetchval("SELECT count(*) FROM pg_ls_waldir()") + 2):
        await admin.execute("SELECT pg_logical_emit_message(false, 'harken', 'x')")
        await admin.execute("SELECT pg_switch_wal()")
    await admin.execute("CHECKPOINT", timeout=600)
    await admin.close()


def erasures(options: argparse.Namespace) -> Iterator[Number]:
    """Erase users under SIGKILLs, restore an older backup, and look for their bytes everywhere."""
    count = options.erasures
    with fresh_postgres() as (folder, postgres, guardian):
        postgres.create_database("harken_erasures")
        dsns = StoreDsns(
            postgres.dsn("harken_feedback", "harken_erasures"),
            postgres.dsn("harken_profile", "harken_erasures"),
        )
        admin = postgres.dsn("postgres", "harken_erasures")
        suite = Suite(
            SuiteConfig(
                folder / "suite", dsns.feedback, dsns.profile,
                environment={"feedback": {"HARKEN_FEEDBACK_SCRUB_SECONDS": "10"}},
            ),
            guardian,
        )  # fmt: skip
        gone: list[float] = []

        async def before() -> tuple[int, int]:
            async with connect(suite.endpoints) as clients:
                await _fill(clients)

                async def record(number: int) -> None:
                    request = feedback_service_pb2.RecordEventsRequest(events=_events(number))
                    await clients.feedback.RecordEvents(request, timeout=30)
                    slate = ranker_service_pb2.RecommendRequest(subject=_user(number), count=5)
                    await clients.ranker.Recommend(slate, timeout=30)

                await _each(range(count), record)
                await take_backup(dsns, folder / "old", lambda *_: None)
                held = await _rows_with_sentinel(admin)
                quiet = min(count // 5, 200)
                gone.extend([await _gone_seconds(clients, number) for number in range(quiet)])
                stop = asyncio.Event()
                killing = asyncio.create_task(_kills(suite, stop))

                async def erase(number: int) -> None:
                    request = pb.EraseUserRequest(subject=_user(number))
                    await _persistent(clients.profile.EraseUser, request)

                await _each(range(quiet, count), erase)
                await _all_done(clients, count)
                stop.set()
                return held, await killing

        async def after() -> int:
            async with connect(suite.endpoints) as clients:
                refused = 0
                for number in range(0, count, 10):
                    request = feedback_service_pb2.RecordEventsRequest(events=_events(number))
                    answer = await clients.feedback.RecordEvents(request, timeout=30)
                    refused += sum(
                        one.reason != event_pb2.EVENT_REASON_USER_ERASED for one in answer.results
                    )
                await until(lambda: _is_clean(admin), "the scrubbing", 1800)
                await take_backup(dsns, folder / "new", lambda *_: None)
                return refused

        suite.start_all()
        held, kills = asyncio.run(before())
        suite.stop()
        manifest = asyncio.run(_restored(dsns, folder / "old"))
        suite.start_all()
        taken = asyncio.run(after())
        metrics = sum(
            _fetched(address).count(SENTINEL) for address in suite.metrics_endpoints.values()
        )
        suite.stop()
        dump = _plain_dump(folder / "new", manifest)
        logs = _scan((folder / "suite").rglob("*")).total()
        asyncio.run(_settled_files(admin, full=False))
        base = folder / "postgres"
        vacuumed = _scan(base.rglob("base/**/*"))
        relations = asyncio.run(_by_relation(admin, vacuumed))
        asyncio.run(_settled_files(admin, full=True))
        left = _scan(base.rglob("base/**/*"))
        rewritten = asyncio.run(_by_relation(admin, left))
        wal = _scan(base.rglob("pg_wal/*")).total()
    gone.sort()
    p99 = gone[int(len(gone) * 0.99)] if gone else 0.0
    yield Number(
        f"{count:,} erasures under {kills} SIGKILLs and a restore of an older backup: sentinel"
        " bytes in tables, a new dump, logs, ledger, metrics; late retries taken",
        "0", f"tables 0 (of {held:,} rows before), dump {dump}, logs and ledger {logs}, metrics"
        f" {metrics}; {taken} late retries taken", not (dump or logs or metrics or taken),
    )  # fmt: skip
    yield Number(
        "the same in files of tables and in WAL, after VACUUM FULL and CHECKPOINT", "0",
        f"{left.total():,} in tables, {wal:,} in WAL", not (left or wal), {"left": rewritten},
    )  # fmt: skip
    yield Number(
        "the same after the VACUUM that erasures do (plain ids, without a vault)", "-",
        f"{vacuumed.total():,}: free space of pages is not zeroed", None, {"left": relations},
    )  # fmt: skip
    yield Number(
        f"from EraseUser until no slate knows the user, p99 of {len(gone)}",
        f"<= {_GONE_SECONDS:.0f} s", f"{p99:.3f} s (median {gone[len(gone) // 2]:.3f} s)",
        p99 <= _GONE_SECONDS,
    )  # fmt: skip


async def _restored(dsns: StoreDsns, folder: Path) -> int:
    from services.cli.backup.manifest import read_manifest

    manifest = read_manifest(folder)
    await restore_backup(manifest, folder, dsns, lambda *_: None)
    return manifest.parts[0].server


def _fetched(address: str) -> str:
    from urllib.request import urlopen

    with urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def _plain_dump(folder: Path, server: int) -> int:
    """Return how often the sentinel stands in a backup, as SQL."""
    clients = find_clients(server)
    found = 0
    for dump in folder.glob("*.dump"):
        command = clients.command("pg_restore", "--file=-", str(dump))
        text = subprocess.run(command, check=True, capture_output=True).stdout
        found += text.count(SENTINEL.encode()) + text.count(SENTINEL.encode().hex().encode())
    return found


def _made_log(users: int, events: int) -> list[LogEntry]:
    chance = np.random.default_rng(11)
    kinds: list[Kind] = [
        activation("a"),
        *(ItemUpserted(f"i{n}", b"x", {f"c{n % 20}": 1.0}) for n in range(_ITEMS)),
    ]
    for at in range(events):
        user = int(chance.integers(users))
        item = int((user * 13 + chance.geometric(0.05)) % _ITEMS)
        weight = float(chance.choice([1.0, 1.0, 1.0, 0.5, -1.0]))
        kinds.append(
            Event(f"u{user}".encode(), f"i{item}", "view", float("nan"), T0_US + at * 10**7, weight)
        )
    return [LogEntry(n, "a", T0_US + n, kind) for n, kind in enumerate(kinds, start=1)]


def unlearning(options: argparse.Namespace) -> Iterator[Number]:
    """Compare what is left of a log after erasures with a log that never had the users."""
    erased = {f"u{n}".encode() for n in range(20)}
    log = _made_log(200, options.unlearned_events)
    kept = [
        entry
        for entry in log
        if not (isinstance(entry.kind, Event) and entry.kind.user_key in erased)
    ]
    entries = list(log)
    for user in sorted(erased):
        own = tuple(
            entry for entry in log if isinstance(entry.kind, Event) and entry.kind.user_key == user
        )
        number = len(entries) + 1
        kind = UserUnlearned(user.decode(), own)
        entries.append(LogEntry(number, "a", T0_US + number, kind))
    state, oracle = learned(entries, 100), learned(kept, 100)
    yield from _compared(state, oracle, len(log) - len(kept))


def _compared(state: TenantState, oracle: TenantState, events: int) -> Iterator[Number]:
    counts = bool((state.counts[:_ITEMS] == oracle.counts[:_ITEMS]).all())
    rules, wanted = rules_of(state), rules_of(oracle)
    same = rules.keys() == wanted.keys()
    off = max(abs(rules.get(pair, 0.0) - weight) for pair, weight in wanted.items())
    yield Number(
        f"whole counts after {events:,} events of 20 of 200 users were unlearned, against a log"
        " without them", "equal to the bit", "equal" if counts else "differ", counts,
    )  # fmt: skip
    yield Number(
        "rules: the same pairs, weights within rounding", "equal pairs, <= 1e-3",
        f"{len(wanted):,} pairs {'equal' if same else 'differ'}, off by {off:.1e} at most",
        same and off <= 1e-3,
    )  # fmt: skip
    levels = float(np.abs(state.levels[:_ITEMS] - oracle.levels[:_ITEMS]).max())
    yield Number(
        "popularity (log levels)", "<= 1e-6", f"off by {levels:.1e} at most", levels <= 1e-6
    )
    space, other = state.space, oracle.space
    distance = np.linalg.norm(space.vectors[:_ITEMS] - other.vectors[:_ITEMS], axis=1)
    bound = 2 * state.config.item_step.max_drift
    yield Number(
        "item vectors until the next generation: distance", f"<= {bound:.1f} (twice max_drift)",
        f"median {np.median(distance):.3f}, most {distance.max():.3f} (norms"
        f" {np.median(np.linalg.norm(other.vectors[:_ITEMS], axis=1)):.3f})",
        bool(distance.max() <= bound),
    )  # fmt: skip


def export(options: argparse.Namespace) -> Iterator[Number]:
    """Export users, each against what the client sent for them."""
    count = options.exports
    with fresh_postgres() as (folder, postgres, guardian):
        postgres.create_database("harken_export")
        config = SuiteConfig(
            folder / "suite",
            postgres.dsn("harken_feedback", "harken_export"),
            postgres.dsn("harken_profile", "harken_export"),
        )

        async def measure(suite: Suite) -> tuple[list[int], float]:
            wrong = []
            async with connect(suite.endpoints) as clients:
                await _fill(clients)
                for number in range(count):
                    request = feedback_service_pb2.RecordEventsRequest(events=_events(number))
                    await clients.feedback.RecordEvents(request, timeout=30)
                began = time.monotonic()
                for number in range(count):
                    got = [
                        one.event
                        async for answer in clients.profile.ExportUser(
                            pb.ExportUserRequest(subject=_user(number)), timeout=60
                        )
                        for one in answer.part.events.events
                    ]
                    sent = [
                        (one.event_id, one.item_id, one.type, dict(one.context))
                        for one in _events(number)
                    ]
                    found = [
                        (one.event_id, one.item_id, one.type, dict(one.context)) for one in got
                    ]
                    if sent != found:
                        wrong.append(number)
                return wrong, (time.monotonic() - began) / count
            raise AssertionError

        with Suite(config, guardian) as suite:
            wrong, seconds = asyncio.run(measure(suite))
    yield Number(
        f"exports of {count:,} users against the client's journal", "equal",
        f"{count - len(wrong):,} equal, {len(wrong)} not ({seconds * 1e3:.0f} ms each)", not wrong,
        {"wrong": wrong[:20]},
    )  # fmt: skip
