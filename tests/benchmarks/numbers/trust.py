"""Nobody unknown gets in: one function a row, each against its bar."""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import Clients, connect
from services.cli.suite import Suite, SuiteConfig
from tests.access.authority import Authority
from tests.access.matrix import callers, surprises
from tests.access.rotation import rotate_certificates, rotate_keys
from tests.access.secure_suite import secure_options
from tests.access.served import serving
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.benchmarks.numbers import erasures
from tests.benchmarks.numbers.table import Number, Row, measured

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


def _cpu_seconds(pid: int) -> float:
    """Return what the threads of a process took so far; they stay as long as it does."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _events(number: int) -> feedback_service_pb2.RecordEventsRequest:
    return feedback_service_pb2.RecordEventsRequest(
        events=[
            event_pb2.Event(
                event_id=f"e{number}",
                subject=subject_pb2.Subject(user_id=f"u{number % _USERS}"),
                item_id=f"i{number % _ITEMS}",
                type="view",
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
        process = {"RecordEvents": "feedback", "Recommend": "ranker-1"}[what]
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
            if what == "RecordEvents":
                await self.clients.feedback.RecordEvents(_events(number), timeout=30)
            else:
                await self.clients.ranker.Recommend(_slate(number), timeout=30)


def cost(options: argparse.Namespace) -> Iterator[Number]:
    """Measure what a call takes of a server's processor, with TLS and the gate and without."""
    with fresh_postgres() as (folder, postgres, guardian), contextlib.ExitStack() as stack:
        suites = {}
        for name in ("off", "on"):
            postgres.create_database(f"harken_{name}")
            secure = secure_options(folder / "tls", Authority()) if name == "on" else {}
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
                for what in ("RecordEvents", "Recommend"):
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
                f"{what}: CPU of the server with mTLS and authorisation, over without",
                f"<= {_BAR:.2f}x",
                f"{ratio:.3f}x (median of {options.rounds} pairs; {on:,.0f} over {off:,.0f} us in"
                f" {options.calls:,} calls each, in turns)",
                ratio <= _BAR, {"us": taken},
            )  # fmt: skip


ROWS: Mapping[str, tuple[str, Row]] = {
    "access": ("0 surprises", access),
    "rotation": ("0 failed calls", rotation),
    "cost": (f"<= {_BAR:.2f}x", cost),
    "erasures": ("0 sentinel bytes; <= 1 s", erasures.erasures),
    "unlearning": ("equal to the bit, or within the bound", erasures.unlearning),
    "export": ("equal", erasures.export),
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
    parser.add_argument("--calls", type=int, default=1000, help="of a round")
    yield from measured(ROWS, parser.parse_args(arguments))
