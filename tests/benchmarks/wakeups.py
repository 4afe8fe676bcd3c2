"""How often processes wake up: idle, and for a slate and an event. This tree beside the first one.

    python -m tests.benchmarks.wakeups [--seconds 5] [--rate 100]

Prints a table. A wake-up is a time that a thread went to sleep and was woken, by the kernel's count
of voluntary context switches, so what a busy loop does without sleeping is none. System calls are
counted by `perf`, where there is one that may look. What is counted for a call is without what the
idle process does meanwhile. Its bias: calls come one at a time, at a pace at which most find a
process asleep, so wake-ups are dearest; at full load there are fewer of each.
"""

import argparse
import contextlib
import functools
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.lanes.sides import sides
from tests.benchmarks.numbers.other_commit import FIRST, this_tree, tree_of
from tests.benchmarks.numbers.table import Number
from tests.benchmarks.speed.stand import RECOMMEND, clients, echo, requests, stand

_ITEMS = 2_000
_SYSTEM_CALLS = "raw_syscalls:sys_enter"
_ATTACH_SECONDS = 0.3
MAIN = "main"
"""The thread of the event loop; threads of others go by the library that they are of."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a process did in some seconds: wake-ups by thread, and system calls (None: unknown)."""

    seconds: float
    woken: Mapping[str, int]
    system_calls: int | None

    def rate(self) -> float:
        """Return wake-ups a second."""
        return sum(self.woken.values()) / self.seconds


@dataclass(frozen=True, slots=True)
class PerCall:
    """What one call adds to an idle process."""

    woken: float
    system_calls: float | None


def wakeups(pid: int) -> Counter[str]:
    """Return how often threads of a process were woken so far; all of one name are one."""
    found: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it may end meanwhile
            comm = (task / "comm").read_text().strip()
            name = MAIN if task.name == str(pid) else re.sub(r"[_-]?\d+$", "", comm)
            found[name] += int(_field((task / "status").read_text(), "voluntary_ctxt_switches"))
    return found


def _field(status: str, name: str) -> str:
    """Return a field of what the kernel says of a thread."""
    return next(
        value.strip()
        for key, _, value in (line.partition(":") for line in status.splitlines())
        if key == name
    )


def counted(pid: int, act: Callable[[], object]) -> Counted:
    """Return what a process did while something was done."""
    with _system_calls(pid) as system_calls:
        before, began = wakeups(pid), time.monotonic()
        act()
        seconds = time.monotonic() - began
        woken = wakeups(pid)
    # A thread that ended has taken its count with it.
    return Counted(
        seconds, {name: max(0, count - before[name]) for name, count in woken.items()},
        system_calls[0] if system_calls else None,
    )  # fmt: skip


@contextlib.contextmanager
def _system_calls(pid: int) -> Iterator[list[int]]:
    """Give a list that holds the count of a process's system calls once the block has ended; it
    stays empty where nobody may count.
    """
    found: list[int] = []
    perf = shutil.which("perf")
    if perf is None:
        yield found
        return
    command = [perf, "stat", "-x", ";", "-e", _SYSTEM_CALLS, "-p", str(pid)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(_ATTACH_SECONDS)
        try:
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
    found += system_calls_of(said)


def system_calls_of(said: str) -> list[int]:
    """Return the count that perf says; nothing when it could not count."""
    return [
        int(line.split(";")[0])
        for line in said.splitlines()
        if _SYSTEM_CALLS in line and line.split(";")[0].isdigit()
    ]


def per_call(idle: Counted, busy: Counted, calls: float) -> PerCall:
    """Return what a call adds, of so many."""
    share = busy.seconds / idle.seconds
    woken = (sum(busy.woken.values()) - share * sum(idle.woken.values())) / calls
    if busy.system_calls is None or idle.system_calls is None:
        return PerCall(woken, None)
    return PerCall(woken, (busy.system_calls - share * idle.system_calls) / calls)


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def slates(rate: float, seconds: float) -> Iterator[Number]:
    """Count what a ranker on its stage does, idle and for slates; a bare echo beside it."""
    idle: dict[str, Counted] = {}
    calls: dict[str, PerCall] = {}
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(clients())[0]
        trees = [stack.enter_context(tree_of()), this_tree()]
        found = [stack.enter_context(stand(tree, _ITEMS)) for tree in trees]
        for one in found:
            one.warm(client)
        floor = stack.enter_context(echo(found[-1].answer()))
        served = {one.tree.name: one.rankers[0] for one in found} | {"bare echo": floor}
        for name, target in served.items():

            def load(target: str = target.target) -> object:
                return client.do("paced", target, RECOMMEND, requests(), rate=rate,
                                 seconds=seconds)  # fmt: skip

            # The first calls open the connection.
            load()
            idle[name] = counted(target.pid, lambda: time.sleep(seconds))
            calls[name] = per_call(idle[name], counted(target.pid, load), rate * seconds)
    details = {"threads": {name: dict(one.woken) for name, one in idle.items()}, "seconds": seconds}
    names = [FIRST, "this", "bare echo"]

    def row(what: str, values: Sequence[float | None]) -> Number:
        said = ", ".join(f"{name} {_said(one)}" for name, one in zip(names, values, strict=True))
        return Number(what, "-", said, None, details)

    yield row("an idle ranker, wake-ups/s", [idle[name].rate() for name in names])
    yield row(
        "an idle ranker's event loop, wake-ups/s",
        [idle[name].woken.get(MAIN, 0) / idle[name].seconds for name in names],
    )
    yield row(f"a slate at {rate:.0f}/s, wake-ups", [calls[name].woken for name in names])
    yield row(
        f"a slate at {rate:.0f}/s, system calls", [calls[name].system_calls for name in names]
    )


def events(rate: float, seconds: float) -> Iterator[Number]:
    """Count what an event, recorded alone, has each service of a suite do."""
    found: dict[str, dict[str, tuple[Counted, PerCall]]] = {}
    with sides(split=False) as both:
        for side in both:
            side.do("load", rate=rate, seconds=1.0)
            for pid, name in side.roots.items():
                # PostgreSQL's backends come and go.
                if name == "postgres":
                    continue
                idle = counted(pid, functools.partial(time.sleep, seconds))
                load = functools.partial(side.do, "load", rate=rate, seconds=seconds)
                one = (idle, per_call(idle, counted(pid, load), rate * seconds))
                found.setdefault(name, {})[side.name] = one
    for name, trees in sorted(found.items()):
        values: dict[str, list[float | None]] = {
            "idle in a suite, wake-ups/s": [idle.rate() for idle, _ in trees.values()],
            f"an event at {rate:.0f}/s, wake-ups": [call.woken for _, call in trees.values()],
            f"an event at {rate:.0f}/s, system calls": [
                call.system_calls for _, call in trees.values()
            ],
        }
        for what, some in values.items():
            said = ", ".join(f"{tree} {_said(one)}" for tree, one in zip(trees, some, strict=True))
            yield Number(f"{name}: {what}", "-", said, None)


def rows(options: argparse.Namespace) -> Iterator[Number]:
    """Count slates, then events. `options`: rate of calls a second, and how long each is."""
    yield from slates(options.rate, options.seconds)
    yield from events(options.rate, options.seconds)


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(prog="wakeups")
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    print("| what | wake-ups and system calls |\n|---|---|")
    for number in rows(parser.parse_args()):
        print(f"| {number.what} | {number.measured} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
