"""Two suites side by side, then and now, and the floor beneath both."""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from services.cli.endpoints import Endpoints
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.benchmarks.lanes.processes import machine_seconds, processor_seconds, services_of
from tests.benchmarks.numbers.other_commit import Tree, suite_process, this_tree, tree_of

_HERE = Path(__file__).parent
_QUIET_SHARE = 0.05


class Talk:
    """A process that answers lines with lines."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            **options,
        )  # fmt: skip

    def say(self, line: str) -> str:
        """Send a line; return the next one that comes.

        Raises:
            RuntimeError: the process ended instead.

        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = str(self._process.stdout.readline()).strip()
        if not answer:
            raise RuntimeError(f"the process ended with {self._process.wait()}")
        return answer

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The suite of one tree, and its client."""

    tree: Tree
    folder: Path
    endpoints: Endpoints
    roots: dict[int, str]
    """Processes of services, and PostgreSQL, by id."""
    talk: Talk

    @property
    def name(self) -> str:
        """Name of the tree."""
        return self.tree.name

    def do(self, what: str, **arguments: Any) -> Any:
        """Have the client do something; return what it answers, and as `elsewhere` the share of the
        machine that went to processes which are not of this measurement.

        Raises:
            RuntimeError: it could not.

        """
        began, before = time.monotonic(), _elsewhere_seconds()
        answer = json.loads(self.talk.say(json.dumps({"do": what, **arguments})))
        if "failed" in answer:
            raise RuntimeError(f"{self.name}: {what}: {answer['failed']}")
        lasted = (time.monotonic() - began) * (os.cpu_count() or 1)
        return {**answer["done"], "elsewhere": max(0.0, _elsewhere_seconds() - before) / lasted}

    def processor_seconds(self) -> dict[str, float]:
        """Return what all server processes took so far, by process."""
        return processor_seconds(self.roots)

    def pid_of(self, name: str) -> int:
        """Return the id of a process."""
        return next(pid for pid, known in self.roots.items() if known == name)

    def sql(self, *statements: str) -> list[Any]:
        """Run statements one by one, as superuser; return the rows of the last."""
        return asyncio.run(self._sql(statements))

    async def _sql(self, statements: Sequence[str]) -> list[Any]:
        _, socket, port = _postgres(self.folder)
        connection = await asyncpg.connect(
            host=socket, port=port, user="postgres", database="harken"
        )
        try:
            for statement in statements:
                found = await connection.fetch(statement)
            return [tuple(row) for row in found]
        finally:
            await connection.close()


def _elsewhere_seconds() -> float:
    return machine_seconds() - sum(processor_seconds({os.getpid(): "ours"}).values())


def _postgres(folder: Path) -> tuple[int, str, int]:
    """Return process id, folder of the socket and port of a suite's PostgreSQL."""
    lines = (folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    return int(lines[0]), lines[4].strip(), int(lines[3])


@contextlib.contextmanager
def sides(*, split: bool, only_this: bool = False) -> Iterator[list[Side]]:
    """Run the suites of then and of this tree, filled and warm. `split`: ingest and learner are two
    processes. `only_this`: there is no other.
    """
    with contextlib.ExitStack() as stack:
        trees = [this_tree()]
        if not only_this:
            trees.insert(0, stack.enter_context(tree_of()))
        yield stack.enter_context(suites(trees, split=split))


@contextlib.contextmanager
def suites(trees: Sequence[Tree], *, split: bool) -> Iterator[list[Side]]:
    """Run the suites of trees, filled and warm."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harken-lanes-")))
        found = []
        for number, tree in enumerate(trees):
            began = time.monotonic()
            side = stack.enter_context(_side(tree, folder / str(number), split))
            warm = side.do("fill")
            print(f"{tree.name}: up, filled and warm in {time.monotonic() - began:.0f} s, "
                  f"slates {warm['effect']['p50'] * 1e3:.1f} ms", flush=True)  # fmt: skip
            found.append(side)
        yield found


@contextlib.contextmanager
def _side(tree: Tree, folder: Path, split: bool) -> Iterator[Side]:
    options = ["--split-feedback"] if split else []
    with suite_process(tree, folder, options=options) as process:
        endpoints = Endpoints.read(folder)
        assert endpoints is not None
        roots = {**services_of(process.pid), _postgres(folder)[0]: "postgres"}
        targets = [endpoints.feedback, endpoints.profile, endpoints.rankers[0]]
        talk = Talk([str(_HERE / "driver.py"), *targets], cwd=folder, env=tree.environment)
        try:
            yield Side(tree, folder, endpoints, roots, talk)
        finally:
            talk.close()


@dataclass(frozen=True, slots=True)
class Floor:
    """Where the floor listens, and the DSN of its database."""

    target: str
    dsn: str


@contextlib.contextmanager
def floor_beneath(side: Side) -> Iterator[Floor]:
    """Serve bare answers, in the bytes of a suite, on a PostgreSQL of its own."""
    with fresh_postgres() as (folder, postgres, _):
        talk = Talk([str(_HERE / "floor.py"), postgres.admin_dsn], cwd=folder)
        try:
            target = talk.say(json.dumps(side.do("samples")))
            yield Floor(target, postgres.admin_dsn)
        finally:
            talk.close()


def rounds_of(count: int, found: Sequence[Side]) -> Iterator[tuple[int, list[Side]]]:
    """Return the rounds, with the sides in turns."""
    for number in range(count):
        yield number, list(found) if number % 2 == 0 else list(reversed(found))


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return median, least and most of rounds, and all of them."""
    return {
        "median": statistics.median(values), "min": min(values), "max": max(values),
        "rounds": list(values),
    }  # fmt: skip


def noise(answers: Sequence[Mapping[str, Any]]) -> str:
    """Say how busy others kept the machine in most of the answers, where that matters."""
    busy = statistics.median(one["elsewhere"] for one in answers)
    return f"; others took {busy:.0%} of the machine" if busy > _QUIET_SHARE else ""


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the quotient of each round; one without end where there is nothing to divide by."""
    return [a / b if b else float("inf") for a, b in zip(over, under, strict=True)]
