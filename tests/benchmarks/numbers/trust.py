"""Nobody unknown gets in: one function a row, each against its bar."""

import argparse
import asyncio
import contextlib
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import Clients, connect
from services.cli.suite import Kind, Suite, SuiteConfig
from services.common.audit.chain import Head
from tests.access.authority import Authority
from tests.access.matrix import callers, surprises
from tests.access.rotation import rotate_certificates, rotate_keys
from tests.access.secure_suite import secure_options
from tests.access.served import serving
from tests.audit.tampering import first_fault, tampered, written_log
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.benchmarks.numbers import erasures, pushes
from tests.benchmarks.numbers.other_commit import ROOT
from tests.benchmarks.numbers.table import Number, Row, measured
from tests.benchmarks.numbers.trust_merges import merges
from tests.end_to_end.clients import caller_of
from tests.privacy.private_suite import private_environment
from tests.privacy.sentinels import Finds, look_everywhere
from tests.privacy.use import SENTINELS, use

_ITEMS = 1000
_USERS = 200
_AT_ONCE = 8
_BAR = 1.10


def access(_options: argparse.Namespace) -> Iterator[Number]:
    """Call every RPC as everybody."""

    async def measure() -> tuple[int, int, list[Any]]:
        with tempfile.TemporaryDirectory() as name:
            async with serving(Path(name)) as served:
                everybody = list(callers(served))
                count, found = await surprises(served, everybody)
                return len(everybody), count, found

    everybody, count, found = asyncio.run(measure())
    for one in found[:5]:
        print(one, flush=True)
    yield Number(
        "access matrix: every RPC as every caller, exact status", "0 surprises",
        f"{len(found)} in {count:,} calls of {everybody} callers", not found,
        {"first": found[:20]},
    )  # fmt: skip


def rotation(options: argparse.Namespace) -> Iterator[Number]:
    """Replace certificates, authorities and keys under calls."""

    async def measure(server: Path, client: Path) -> list[tuple[str, Any]]:
        async with serving(server) as served:
            keys = await rotate_keys(served, options.rotations)
            both = await rotate_certificates(served, client, options.rotations)
        return [("API keys", keys), ("certificates and authorities of both ends", both)]

    with tempfile.TemporaryDirectory() as server, tempfile.TemporaryDirectory() as client:
        found = asyncio.run(measure(Path(server), Path(client)))
    for what, outcome in found:
        yield Number(
            f"{what} replaced {options.rotations} times under calls: failed calls", "0",
            f"{len(outcome.failed)} of {outcome.ok + len(outcome.failed):,}", not outcome.failed,
            {"first": outcome.failed[:20]},
        )  # fmt: skip


def audit(options: argparse.Namespace) -> Iterator[Number]:
    """Change an audit log in one place, by chance, again and again."""
    with fresh_postgres() as (_folder, postgres, _guardian):
        postgres.create_database("harken_audit")
        dsn = postgres.dsn("harken_feedback", "harken_audit")
        rows, seconds = asyncio.run(written_log(dsn, options.audit_rows))
    chance, kept = random.Random(1), Head(rows[-1].sequence, rows[-1].hash)
    missed, kinds = [], Counter[str]()
    for _ in range(options.tamperings):
        done = tampered(rows, chance)
        found = first_fault(done.rows, kept)
        kinds[done.what] += 1
        if found is None or found.sequence != done.first:
            missed.append([done.what, done.first, found and found.sequence])
    yield Number(
        "single changes of an audit log: found, and the first wrong row named", "all",
        f"{options.tamperings - len(missed):,} of {options.tamperings:,} in a log of"
        f" {len(rows):,} rows", not missed, {"kinds": dict(kinds), "first": missed[:20]},
    )  # fmt: skip
    heads = [Head(row.sequence, row.hash) for row in rows]
    alarms = sum(
        first_fault(rows, *chance.sample(heads, chance.randint(0, 5))) is not None
        for _ in range(options.tamperings // 10)
    )
    yield Number(
        "alarms of audit logs that nobody touched, against heads kept before", "0",
        f"{alarms} of {options.tamperings // 10:,}", not alarms,
    )  # fmt: skip
    yield Number(
        "one row of the audit log, committed (an audited call writes two)", "-",
        f"{seconds * 1e3:.2f} ms", None,
    )  # fmt: skip


def _cpu_seconds(pid: int) -> float:
    """Return what the threads of a process took so far; they stay as long as it does."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


_WITH_CONTEXT = "RecordEvents with context"


def _events(number: int, context: Mapping[str, str]) -> feedback_service_pb2.RecordEventsRequest:
    return feedback_service_pb2.RecordEventsRequest(
        events=[
            event_pb2.Event(
                event_id=f"e{number}",
                subject=subject_pb2.Subject(user_id=f"u{number % _USERS}"),
                item_id=f"i{number % _ITEMS}",
                type="view",
                context=context,
            )
        ]
    )


def _slate(number: int) -> ranker_service_pb2.RecommendRequest:
    return ranker_service_pb2.RecommendRequest(
        subject=subject_pb2.Subject(user_id=f"u{number % _USERS}"), count=10
    )


class _Arm:
    """A suite, and the calls that it has been given."""

    def __init__(self, suite: Suite, clients: Clients) -> None:
        self.clients = clients
        self._suite = suite
        self._number = 0

    async def fill(self) -> None:
        items = [
            item_pb2.Item(item_id=f"i{n}", title=f"Item {n}", categories=[f"c{n % 10}"])
            for n in range(_ITEMS)
        ]
        request = catalog_service_pb2.UpsertItemsRequest(items=items)
        answer = await self.clients.catalog.UpsertItems(request, timeout=60)
        first = _slate(0)
        first.min_learned_position = answer.position
        first.wait_budget.FromSeconds(10)
        slate = await self.clients.ranker.Recommend(first, timeout=30)
        if slate.stale or slate.degradations or len(slate.slots) != first.count:
            raise RuntimeError("the suite does not serve whole slates")

    async def cost(self, what: str, calls: int) -> float:
        """Return microseconds of the server's processor that a call takes."""
        process = "ranker-1" if what == "Recommend" else "feedback"
        pid = self._suite.processes[process].pid
        assert pid is not None
        begin = self._number
        self._number += calls
        numbers = iter(range(begin, begin + calls))
        before = _cpu_seconds(pid)
        await asyncio.gather(*(self._caller(what, numbers) for _ in range(_AT_ONCE)))
        return (_cpu_seconds(pid) - before) / calls * 1e6

    async def _caller(self, what: str, numbers: Iterator[int]) -> None:
        for number in numbers:
            if what == "Recommend":
                await self.clients.ranker.Recommend(_slate(number), timeout=30)
            else:
                context = {"page": "home", "device": "phone"} if what == _WITH_CONTEXT else {}
                await self.clients.feedback.RecordEvents(_events(number, context), timeout=30)


def cost(options: argparse.Namespace) -> Iterator[Number]:
    """Measure what a call takes of a server's processor, with TLS, gate and keys, and without."""
    with fresh_postgres() as (folder, postgres, guardian), contextlib.ExitStack() as stack:
        suites = {}
        for name in ("off", "on"):
            postgres.create_database(f"harken_{name}")
            secure: dict[str, Any] = {}
            if name == "on":
                secure |= secure_options(folder / "tls", Authority())
                secure["environment"] = private_environment(
                    folder / "keys", postgres.dsn("harken_keys", f"harken_{name}"),
                    secure["environment"],
                )  # fmt: skip
            config = SuiteConfig(
                folder / name,
                postgres.dsn("harken_feedback", f"harken_{name}"),
                postgres.dsn("harken_profile", f"harken_{name}"),
                **secure,
            )
            suites[name] = stack.enter_context(Suite(config, guardian))

        async def measure() -> dict[str, dict[str, list[float]]]:
            found: dict[str, dict[str, list[float]]] = {}
            async with contextlib.AsyncExitStack() as clients:
                arms = {
                    name: _Arm(suite, await clients.enter_async_context(connect(suite.endpoints)))
                    for name, suite in suites.items()
                }
                for arm in arms.values():
                    await arm.fill()
                for what in ("RecordEvents", _WITH_CONTEXT, "Recommend"):
                    taken: dict[str, list[float]] = {name: [] for name in arms}
                    for turn in range(options.rounds + 1):
                        # Turns change places, so that neither is always the second.
                        for name in sorted(arms, reverse=bool(turn % 2)):
                            one = await arms[name].cost(what, options.calls)
                            if turn:
                                taken[name].append(one)
                    found[what] = taken
            return found

        for what, taken in asyncio.run(measure()).items():
            off, on = (statistics.median(taken[name]) for name in ("off", "on"))
            # Of what was measured one after the other: the machine is not always as fast.
            ratio = statistics.median(
                one / other for one, other in zip(taken["on"], taken["off"], strict=True)
            )
            yield Number(
                f"{what}: CPU of the server with mTLS, authorisation, pseudonyms and sealing, over"
                " without",
                f"<= {_BAR:.2f}x",
                f"{ratio:.3f}x (median of {options.rounds} pairs; {on:,.0f} over {off:,.0f} us in"
                f" {options.calls:,} calls each, in turns)",
                ratio <= _BAR, {"us": taken},
            )  # fmt: skip


def sentinels(_options: argparse.Namespace) -> Iterator[Number]:
    """Look for what users did wherever bytes are left, with keys and, to see it found, without."""

    async def measure(suite: Suite, admin_dsn: str, data: Path) -> Finds:
        async with caller_of(suite) as caller:
            await use(caller)
        admin = await asyncpg.connect(admin_dsn)
        finds = Finds(SENTINELS)
        await look_everywhere(finds, suite, admin, data)
        await admin.close()
        return finds

    found = {}
    # A server each: of the write-ahead log nobody knows which database it is of.
    for name in ("on", "off"):
        with fresh_postgres() as (folder, postgres, guardian):
            postgres.create_database("harken_sentinels")
            dsns = {
                role: postgres.dsn(role, "harken_sentinels")
                for role in ("harken_feedback", "harken_profile", "harken_keys", "postgres")
            }
            environment: Mapping[Kind, Mapping[str, str]] = {}
            if name == "on":
                environment = private_environment(folder / "keys", dsns["harken_keys"])
            config = SuiteConfig(
                folder / name, dsns["harken_feedback"], dsns["harken_profile"], preset="media",
                environment=environment, log_level="debug",
            )  # fmt: skip
            with Suite(config, guardian) as suite:
                data = postgres.folder / "data"
                found[name] = asyncio.run(measure(suite, dsns["postgres"], data))
    on, off = found["on"], found["off"]
    yield Number(
        "ids, attributes, contexts of users in tables, heap files, write-ahead log, logs, metrics",
        "0 of them",
        f"{len(on.found)} of {len(SENTINELS)} in {on.bytes / 1e6:,.0f} MB; without keys"
        f" {len(off.found)}",
        not on.found and len(off.found) == len(SENTINELS),
        {"places": {name: sorted(where) for name, where in on.found.items()}},
    )  # fmt: skip


ROWS: Mapping[str, tuple[str, Row]] = {
    "access": ("0 surprises", access),
    "rotation": ("0 failed calls", rotation),
    "audit": ("all found", audit),
    "cost": (f"<= {_BAR:.2f}x", cost),
    "erasures": ("0 sentinel bytes; <= 1 s", erasures.erasures),
    "unlearning": ("equal to the bit, or within the bound", erasures.unlearning),
    "export": ("equal", erasures.export),
    "merges": ("0 lost, 0 doubled, every strict slate knows", merges),
    "sentinels": ("0 sentinels", sentinels),
    "pushes": ("<= 2% / 2%", pushes.pushes),
    "honest": (">= .995x", pushes.honest),
}
"""The bars, said of a row that fails, and what measures it."""


def numbers(arguments: list[str]) -> Iterator[Number]:
    """Measure."""
    parser = argparse.ArgumentParser(prog="numbers trust")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS], default=[*ROWS])
    parser.add_argument("--rotations", type=int, default=3, help="of each kind")
    parser.add_argument("--erasures", type=int, default=1000)
    parser.add_argument("--unlearned-events", type=int, default=20_000, help="in the whole log")
    parser.add_argument("--exports", type=int, default=1000, help="of users")
    parser.add_argument("--rounds", type=int, default=30, help="of either arm, after one unseen")
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data",
        help="folder of real histories; those that are not there are left out",
    )  # fmt: skip
    parser.add_argument("--every", type=int, default=4, help="rank one group in so many (honest)")
    parser.add_argument("--calls", type=int, default=1000, help="of a round")
    parser.add_argument("--merges", type=int, default=10_000, help="of sessions")
    parser.add_argument("--audit-rows", type=int, default=300, help="of a log that is changed")
    parser.add_argument("--tamperings", type=int, default=10_000, help="changes of it, one each")
    yield from measured(ROWS, parser.parse_args(arguments))
