"""Where the microseconds of a slate and of an event go, by part.

    python -m tests.benchmarks.where [--rate 100] [--seconds 8] [--write]

Prints tables; `--write` puts them into docs/speed.md, between its two marks. Processor time is what
the kernel counts for each thread while so many calls a second come, idling included and told
beside; what part of it went to which library is sampled by `perf`, where there is one that may
look; without, only what is the kernel's is told from the rest. Below that, what functions take in
a process of their own. Its bias is that of tests.benchmarks.speed.
"""

import argparse
import contextlib
import datetime
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.lanes.processes import descendants
from tests.benchmarks.lanes.sides import suites
from tests.benchmarks.numbers.other_commit import ROOT, this_tree
from tests.benchmarks.speed import machine
from tests.benchmarks.speed.benches import PAUSE_SECONDS, insides
from tests.benchmarks.speed.stand import RECOMMEND, clients, echo, requests, stand

PAGE = ROOT / "docs" / "speed.md"
BEGIN, END = "<!-- begin: made by tests.benchmarks.where -->", "<!-- end -->"
_IDLE_SECONDS = 3.0
_ITEMS = 2_000
_LEAST_US = 5.0
"""Threads that take less a call are not listed."""
_FUNCTIONS = {
    "whole": "request bytes to answer bytes",
    "make_slate": "of it make_slate",
    "scan": "of that the scan for vectors near the user's",
    "onnx": "of that the scorer, ONNX Runtime",
    "slots": "slots as messages",
}
_OTHER = "CPython"
_LIBRARIES = (
    ("kernel", ("[kernel", "[vdso", "[unknown")),
    ("gRPC", ("cygrpc",)),
    ("protobuf", ("_message.", "_upb")),
    ("uvloop", ("loop.cpython",)),
    ("compiled core", ("_core.cpython", "harken_native")),
    ("NumPy and BLAS", ("_umath", "openblas", "numpy", "_multiarray")),
    ("FAISS", ("faiss", "libgomp")),
    ("ONNX", ("onnxruntime",)),
    ("PostgreSQL", ("postgres", "protocol.cpython", "pgproto")),
    ("libc", ("libc.", "libc-", "libm.", "libstdc++", "libgcc", "ld-linux", "libpthread")),
)
"""Parts by what names of shared objects contain; PostgreSQL's client is a part of it. What is none
of these is the interpreter with its modules."""


def part_of(library: str) -> str:
    """Return the part that a shared object belongs to, by its name."""
    for part, marks in _LIBRARIES:
        if any(mark in library for mark in marks):
            return part
    return _OTHER


@dataclass(frozen=True, slots=True)
class Taken:
    """What processes took: seconds by name and thread, and by name the kernel's part of them."""

    threads: Mapping[tuple[str, str], float]
    kernel: Mapping[str, float]

    def of(self, name: str) -> float:
        """Return the seconds of a process."""
        return sum(value for (whose, _), value in self.threads.items() if whose == name)


def taken(pids: Mapping[str, Sequence[int]]) -> Taken:
    """Return what living processes took so far; all threads of one name are one."""
    threads: dict[tuple[str, str], float] = defaultdict(float)
    kernel: dict[str, float] = defaultdict(float)
    for name, some in pids.items():
        for pid in some:
            for task in Path(f"/proc/{pid}/task").glob("*"):
                with contextlib.suppress(OSError):  # it may end meanwhile
                    fields = (task / "stat").read_text().rpartition(")")[2].split()
                    kernel[name] += int(fields[12]) / os.sysconf("SC_CLK_TCK")
                    main = task.name == str(pid)
                    comm = "main" if main else (task / "comm").read_text().strip()
                    ran = int((task / "schedstat").read_text().split()[0])
                    threads[name, re.sub(r"[_-]?\d+$", "", comm)] += ran / 1e9
    return Taken(threads, kernel)


def less(after: Taken, before: Taken) -> Taken:
    """Return what came between."""
    return Taken(
        {key: value - before.threads.get(key, 0.0) for key, value in after.threads.items()},
        {key: value - before.kernel.get(key, 0.0) for key, value in after.kernel.items()},
    )


def shares(report: str) -> dict[int, dict[str, float]]:
    """Return by process id which share of its samples fell into which part, summing up to 1.

    `report`: what perf prints of samples, a line each: process id, and the shared object.
    """
    found: dict[int, Counter[str]] = {}
    for line in report.splitlines():
        said = re.match(r"\s*(\d+)(?:/\d+)?\s+(.*)", line)
        if said is None:
            continue
        library = re.search(r"\(([^()]*)\)\s*$", said[2])
        name = Path(library[1]).name if library is not None else ""
        found.setdefault(int(said[1]), Counter())[part_of(name)] += 1
    return {
        pid: {part: count / counts.total() for part, count in counts.items()}
        for pid, counts in found.items()
    }


class Samples:
    """Samples processes in a block. `shares`, by process id, afterwards; none without perf."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.shares: Mapping[int, Mapping[str, float]] = {}
        self._pids = ",".join(str(pid) for pid in pids)
        self._perf = shutil.which("perf")

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Sample until the block ends."""
        if self._perf is None:
            yield
            return
        with tempfile.TemporaryDirectory(prefix="harken-where-") as folder:
            file = str(Path(folder) / "samples")
            command = [self._perf, "record", "-q", "-F", "997", "-o", file, "-p", self._pids]
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                yield
            finally:
                process.send_signal(signal.SIGINT)
                process.wait()
            script = [self._perf, "script", "-i", file, "-F", "pid,ip,dso"]
            said = subprocess.run(script, capture_output=True, text=True, check=False)
            self.shares = shares(said.stdout)


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls cost: microseconds a call of each process by part, by thread, and of idling."""

    parts: Mapping[str, Mapping[str, float]]
    threads: Mapping[tuple[str, str], float]
    idle: Mapping[str, float]


def cost(
    pids: Mapping[str, Sequence[int]], rate: float, seconds: float, load: Callable[[], object]
) -> Cost:
    """Return what `load`, of `rate` calls a second for so long, costs processes.

    Who is sampled pays for it, so counted and sampled is one after the other.
    """
    calls = rate * seconds
    start = taken(pids)
    time.sleep(_IDLE_SECONDS)
    idle = less(taken(pids), start)
    start = taken(pids)
    load()
    spent = less(taken(pids), start)
    samples = Samples([pid for some in pids.values() for pid in some])
    with samples():
        load()
    return Cost(
        {name: split(spent, name, samples.shares, some, calls) for name, some in pids.items()},
        {key: value / calls * 1e6 for key, value in spent.threads.items()},
        {name: idle.of(name) / _IDLE_SECONDS / rate * 1e6 for name in pids},
    )


def split(
    spent: Taken, name: str, found: Mapping[int, Mapping[str, float]], pids: Sequence[int],
    calls: float,
) -> dict[str, float]:  # fmt: skip
    """Return microseconds a call of a process by part."""
    whole = spent.of(name) / calls * 1e6
    some = [found[pid] for pid in pids if pid in found]
    if name == "PostgreSQL":
        return {"PostgreSQL": whole}
    if not some:
        kernel = min(whole, spent.kernel[name] / calls * 1e6)
        return {"kernel": kernel, "all else": whole - kernel}
    # One process a name, but for PostgreSQL.
    return {part: whole * share for part, share in some[0].items()}


def table(found: Cost) -> list[str]:
    """Return parts by process, in Markdown, the largest first."""
    sums: dict[str, float] = defaultdict(float)
    for parts in found.parts.values():
        for part, value in parts.items():
            sums[part] += value
    names = list(found.parts)
    lines = [f"| us | {' | '.join(names)} | all |", "|---" * (len(names) + 2) + "|"]
    for part, whole in sorted(sums.items(), key=lambda one: -one[1]):
        cells = (found.parts[name].get(part, 0.0) for name in names)
        lines.append(f"| {part} | {' | '.join(f'{one:,.0f}' for one in cells)} | {whole:,.0f} |")
    for what, values in (
        ("**all**", {name: sum(found.parts[name].values()) for name in names}),
        ("of it idling", found.idle),
    ):
        cells = (values[name] for name in names)
        lines.append(f"| {what} | {' | '.join(f'{one:,.0f}' for one in cells)} |"
                     f" {sum(values.values()):,.0f} |")  # fmt: skip
    busy = [(key, value) for key, value in found.threads.items()
            if key[0] != "PostgreSQL" and value >= _LEAST_US]  # fmt: skip
    said = ", ".join(f"{name}'s {thread} {value:,.0f}" for (name, thread), value
                     in sorted(busy, key=lambda one: -one[1]))  # fmt: skip
    return [*lines, "", f"By thread: {said} us."]


def of_slates(rate: float, seconds: float, items: int) -> Cost:
    """Return what slates cost a ranker, on its stage, and an echo of as many bytes beside it."""
    with clients() as (client,), stand(this_tree(), items) as one:
        one.warm(client)
        with echo(one.answer()) as floor:
            found = []
            for name, served in (("ranker", one.rankers[0]), ("bare echo", floor)):

                def load(target: str = served.target) -> object:
                    return client.do("paced", target, RECOMMEND, requests(), rate=rate,
                                     seconds=seconds)  # fmt: skip

                found.append(cost({name: [served.pid]}, rate, seconds, load))
    ranker, bare = found
    return Cost({**ranker.parts, **bare.parts}, {**ranker.threads, **bare.threads},
                {**ranker.idle, **bare.idle})  # fmt: skip


def of_events(rate: float, seconds: float) -> Cost:
    """Return what single events cost all processes of a suite, feedback as two."""
    with suites([this_tree()], split=True) as (side,):
        side.do("load", rate=rate, seconds=1.0)
        pids: dict[str, Sequence[int]] = {}
        for pid, name in side.roots.items():
            if name == "postgres":
                pids["PostgreSQL"] = [pid, *descendants(pid)]
            else:
                pids[name] = [pid]
        return cost(pids, rate, seconds, lambda: side.do("load", rate=rate, seconds=seconds))


def of_functions(items: int) -> list[str]:
    """Return what functions take in a process of their own, hot and after a pause, in Markdown."""
    tree = this_tree()
    lines = ["| us | hot | after 25 ms |", "|---|---|---|"]
    with insides([tree]) as found:
        inside = found[tree.name]
        hot = inside.do("slate", items=items, repeats=300, parts=True)
        cold = inside.do("slate", items=items, repeats=80, pause=PAUSE_SECONDS, parts=True)
        rows = [(_FUNCTIONS[name], [told["parts"][name] for told in (hot, cold)])
                for name in _FUNCTIONS if hot["parts"].get(name)]  # fmt: skip
        step = inside.do("steps", items=items, warm=10, steps=200, events=1)["product"]
        many = inside.do("steps", items=items, warm=10, steps=5, events=1_000)["product"]
    for name, values in rows:
        lines.append(f"| {name} | {' | '.join(f'{one * 1e6:,.0f}' for one in values)} |")
    lines.append(f"| the learner's step of one event | {step * 1e6:,.0f} | |")
    lines.append(f"| an event in a step of 1,000 | {many * 1e3:,.1f} | |")
    return lines


def page(rate: float, seconds: float) -> str:
    """Measure; return what stands between the marks."""
    hardware, versions = machine.hardware(), machine.versions()
    said = ", ".join(f"{name} {value}" for name, value in {**hardware, **versions}.items())
    slate, event = of_slates(rate, seconds, _ITEMS), of_events(rate, seconds)
    return "\n".join([
        f"Measured on {datetime.date.today().isoformat()} at {machine.commit()}: {said}.",
        "", f"**One slate** of 20, {_ITEMS:,} items, at {rate:.0f}/s, all else quiet:",
        "", *table(slate),
        "", f"**One event**, recorded alone, at {rate:.0f}/s:", "", *table(event),
        "", f"**Functions** in a process of their own, {_ITEMS:,} items, processor time:",
        "", *of_functions(_ITEMS),
    ])  # fmt: skip


def replaced(text: str, made: str) -> str:
    """Return a page with something else between its marks.

    Raises:
        ValueError: it has not one of each, in order.

    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in tail or END in tail:
        raise ValueError(f"the page must have one {BEGIN}, then one {END}")
    return f"{head}{begin}\n{made}\n{end}{tail}"


def main() -> int:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser(prog="where")
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--write", action="store_true", help="put it into docs/speed.md")
    options = parser.parse_args()
    made = page(options.rate, options.seconds)
    print(made)
    if options.write:
        PAGE.write_text(replaced(PAGE.read_text(), made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
