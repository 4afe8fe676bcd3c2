"""A slate costs what it must: one function a row, each on processes of its own."""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.ranker.config import RankerConfig
from tests.benchmarks import wakeups
from tests.benchmarks.index import rows as index_rows
from tests.benchmarks.lanes.sides import noise, ratios, rounds_of, sides
from tests.benchmarks.lanes.sides import spread as rounds_said
from tests.benchmarks.memory import memory_of
from tests.benchmarks.numbers.other_commit import this_tree, tree_of
from tests.benchmarks.numbers.table import Number, Row, measured
from tests.benchmarks.speed import benches
from tests.benchmarks.speed.figures import Figure
from tests.benchmarks.speed.stand import RECOMMEND, Client, Served, clients, requests, stand

GIB = 1 << 30
_OF_ECHO = {2_000: {1: 0.50, 8: 0.35, 32: 0.35}, 100_000: {1: 0.35, 8: 0.22, 32: 0.20}}
_RECALL = 0.98
_LARGE, _SMALL = 1_000_000, 10_000
_FLIP_RATE, _FLIP_SECONDS, _FLIP_AFTER = 100.0, 6.0, 4.0
_PAIR_RATE, _PAIR_SECONDS, _TAIL_SECONDS = 100.0, 10.0, 3.0
_BUSY_CALLERS = 8
_HOT_CALLS = 100
_WOKEN_ROUNDS = 4


def _said(figure: Figure, tree: str, digits: int = 2) -> str:
    """Say a ratio with the values that it is of."""
    ratio = statistics.median(figure.ratios(tree))
    product, floor = statistics.median(figure.products[tree]), statistics.median(figure.floor)
    return f"{ratio:.{digits}f} ({product:,.0f} over {floor:,.0f} {figure.unit})"


def _details(figure: Figure) -> dict[str, Any]:
    return {
        "ratios": {tree: rounds_said(figure.ratios(tree)) for tree in figure.products},
        "products": figure.products, "floor": figure.floor, **figure.details,
    }  # fmt: skip


def recommend(options: argparse.Namespace) -> Iterator[Number]:
    """Measure Recommend over a bare echo of the same bytes."""
    tree = this_tree()
    for items, bars in _OF_ECHO.items():
        options.items, options.aio = [items], True
        recall = 1.0
        if items > min(_OF_ECHO):
            with benches.insides([tree]) as inside:
                recall = inside[tree.name].do("search", items=items, repeats=1)["recall"]
        # In the order of callers; what else the bench measures has no bar.
        found = list(benches.recommend(options, [tree]))
        by_aio = found[len(bars) : 2 * len(bars)]
        for (callers, bar), figure, other in zip(bars.items(), found, by_aio, strict=False):
            ratio = statistics.median(figure.ratios(tree.name))
            beside = f"; by a client of grpc.aio {_said(other, tree.name)}"
            if items > min(_OF_ECHO):
                beside += f"; recall {recall:.3f}"
            yield Number(
                f"Recommend over echo, {items:,} items, {callers} callers", f">= {bar:.2f}",
                _said(figure, tree.name) + beside, ratio >= bar and recall >= _RECALL,
                {**_details(figure), "by_aio": _details(other), "recall": recall},
            )  # fmt: skip


def cold(options: argparse.Namespace) -> Iterator[Number]:
    """Measure the median slate after a pause of 25 ms, in turns with the first commit."""
    items = 2_000
    seconds: dict[str, list[float]] = {}
    with tree_of() as then, clients() as (client,), stand(then, items) as before, \
            stand(this_tree(), items) as after:  # fmt: skip
        for one in (before, after):
            one.warm(client)
        for number in range(options.rounds):
            for one in (before, after) if number % 2 == 0 else (after, before):
                told = client.do("apart", one.rankers[0].target, RECOMMEND, requests(),
                                 count=80, pause=benches.PAUSE_SECONDS)  # fmt: skip
                seconds.setdefault(one.tree.name, []).append(told["p50"])
    names = (before.tree.name, after.tree.name)
    yield _over("p50 of a slate after a 25 ms pause, 2,000 items, over then", 0.40, seconds, *names)


def _over(
    what: str, bar: float, seconds: Mapping[str, Sequence[float]], then: str, now: str,
    said: str = "",
) -> Number:  # fmt: skip
    """Return a number of times of this tree over those of another, round by round."""
    quotients = ratios(seconds[now], seconds[then])
    ratio = statistics.median(quotients)
    return Number(
        what, f"<= {bar:.2f}x",
        f"{ratio:.2f}x ({statistics.median(seconds[now]) * 1e3:.2f} over "
        f"{statistics.median(seconds[then]) * 1e3:.2f} ms{said})",
        ratio <= bar, {"ratio": rounds_said(quotients), "seconds": dict(seconds)},
    )  # fmt: skip


def two(options: argparse.Namespace) -> Iterator[Number]:
    """Measure two rankers, each on a core of its own, over one: calls a second of processor time.

    The client takes a part of the cores that two rankers have, so it is counted by what the rankers
    take: as many calls they would answer in a second if nobody else were there.
    """
    found: list[float] = []
    clock: list[float] = []
    with clients(2) as some, stand(this_tree(), 2_000, rankers=2) as one:
        one.warm(some[0])
        for core, ranker in enumerate(one.rankers):
            ranker.pin(core)
        for _ in range(options.rounds):
            alone, alone_clock = _capacity(one.rankers[:1], some[:1], options.seconds)
            both, both_clock = _capacity(one.rankers, some, options.seconds)
            found.append(both / alone)
            clock.append(both_clock / alone_clock)
    yield Number(
        "two pinned ranker processes over one, the client counted by CPU", ">= 1.8",
        f"{statistics.median(found):.2f} (by the clock, with the client: "
        f"{statistics.median(clock):.2f})",
        statistics.median(found) >= 1.8, {"by_cpu": found, "by_clock": clock},
    )  # fmt: skip


def _capacity(
    rankers: Sequence[Served], some: Sequence[Client], seconds: float
) -> tuple[float, float]:
    """Return calls a second of processor time, and by the clock, summed over rankers at once."""
    found: list[tuple[float, float]] = []

    def load(ranker: Served, client: Client) -> None:
        before = ranker.seconds()
        told = client.do("together", ranker.target, RECOMMEND, requests(), callers=_BUSY_CALLERS,
                         seconds=2 * seconds)  # fmt: skip
        found.append((told["calls"] / (ranker.seconds() - before), told["rate"]))

    threads = [threading.Thread(target=load, args=pair) for pair in zip(rankers, some, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) != len(rankers):
        raise RuntimeError("a client failed")
    return sum(one for one, _ in found), sum(one for _, one in found)


def learner(options: argparse.Namespace) -> Iterator[Number]:
    """Measure steps of the learner, in turns with the first commit."""
    with tree_of() as then:
        trees = [then, this_tree()]
        options.items = [100_000]
        many, one = benches.learner(options, trees)
    before, now = (statistics.median(many.products[tree.name]) for tree in trees)
    yield Number(
        "learner, events/s on one core, d = 128, batches of 1,000", ">= 60,000",
        f"{1e9 / now:,.0f} (then {1e9 / before:,.0f})", 1e9 / now >= 60_000, _details(many),
    )  # fmt: skip
    before, now = (statistics.median(one.products[tree.name]) for tree in trees)
    yield Number(
        "a step of one event, hot", "<= 200 us", f"{now:,.0f} us (then {before:,.0f})", now <= 200,
        _details(one),
    )  # fmt: skip


def flip(options: argparse.Namespace) -> Iterator[Number]:
    """Measure slates at 100/s while another generation, scorer and all, becomes the active one."""
    for items in (2_000, 100_000):
        affected: list[float] = []
        quiet: list[float] = []
        failed = 0
        with clients() as (client,), stand(this_tree(), items) as one:
            one.warm(client)
            one.reach(one.tell("stage"))
            for _ in range(options.rounds):
                at, told = _flipped(client, one.rankers[0], one.tell)
                failed += told["failed"]
                affected.append(_p99(told["each"], at, at + 1))
                begin = told["each"][0][0]
                # Seconds as the affected one, of as many calls; the first one warms up.
                quiet.append(statistics.median(
                    _p99(told["each"], begin + second, begin + second + 1)
                    for second in range(1, int(_FLIP_AFTER))
                ))  # fmt: skip
        # Of medians: what disturbs a quiet second would make a ratio look good.
        ratio = statistics.median(affected) / statistics.median(quiet)
        yield Number(
            f"generation flip under load, {items:,} items: p99 of its second over quiet; failed",
            "<= 2x; 0",
            f"{ratio:.2f}x ({statistics.median(affected) * 1e3:.1f} over "
            f"{statistics.median(quiet) * 1e3:.1f} ms); {failed}",
            ratio <= 2 and not failed, {"affected": affected, "quiet": quiet, "failed": failed},
        )  # fmt: skip


def _flipped(client: Client, ranker: Served, tell: Callable[[str], int]) -> tuple[float, Any]:
    """Load a ranker and flip its generation; return when, on the monotonic clock, and the calls."""
    told: list[Any] = []
    load = threading.Thread(
        target=lambda: told.append(
            client.do("paced", ranker.target, RECOMMEND, requests(), rate=_FLIP_RATE,
                      seconds=_FLIP_SECONDS)
        )
    )  # fmt: skip
    load.start()
    time.sleep(_FLIP_AFTER)
    at = time.monotonic()
    tell("flip")
    load.join()
    if not told:
        raise RuntimeError("the client failed")
    return at, told[0]


def _p99(each: Sequence[Sequence[float]], begin: float, end: float) -> float:
    """Return the p99 of the calls that were due in [begin, end)."""
    took = sorted(seconds for due, seconds in each if begin <= due < end)
    return took[max(0, -(-len(took) * 99 // 100) - 1)]


def processors(options: argparse.Namespace) -> Iterator[Number]:
    """Measure processor time of all servers for an event and its strict slate, at 100/s each."""
    seconds: dict[str, list[float]] = {}
    by_process: dict[str, list[dict[str, float]]] = {}
    answers: list[Mapping[str, Any]] = []
    with sides(split=False) as found:
        for _, turns in rounds_of(min(options.rounds, 3), found):
            for side in turns:
                before = side.processor_seconds()
                answers.append(side.do("pairs", rate=_PAIR_RATE, seconds=_PAIR_SECONDS))
                # What is written behind belongs to it.
                time.sleep(_TAIL_SECONDS)
                pairs = _PAIR_RATE * _PAIR_SECONDS
                taken = {name: (value - before.get(name, 0.0)) / pairs
                         for name, value in side.processor_seconds().items()}  # fmt: skip
                by_process.setdefault(side.name, []).append(taken)
                seconds.setdefault(side.name, []).append(sum(taken.values()))
        then, now = (side.name for side in found)
    number = _over("CPU of all server processes for one event and one slate, at 100/s each, over"
                   " then", 0.25, seconds, then, now, noise(answers))  # fmt: skip
    number.details["seconds_by_process"] = by_process
    yield number


def memory(options: argparse.Namespace) -> Iterator[Number]:
    """Measure a ranker of 10^6 items: its memory, and its slates over those of 10^4."""
    found: dict[int, list[float]] = {}
    with clients() as (client,), stand(this_tree(), _LARGE) as large, \
            stand(this_tree(), _SMALL) as small:  # fmt: skip
        for one in (large, small):
            one.warm(client)
        held = memory_of(large.rankers[0].pid).rss
        for _ in range(options.rounds):
            for one in (large, small):
                told = client.do("apart", one.rankers[0].target, RECOMMEND, requests(),
                                 count=_HOT_CALLS, pause=0.0)  # fmt: skip
                found.setdefault(one.items, []).append(told["p50"])
    yield Number(
        "10^6 items, d = 128, exact vectors: ranker's memory", "<= 1.3 GiB",
        f"{held / GIB:.2f} GiB", held <= 1.3 * GIB, {"bytes": held},
    )  # fmt: skip
    yield from _with_codes()
    ratio = statistics.median(ratios(found[_LARGE], found[_SMALL]))
    yield Number(
        "Recommend p50 at 10^6 items over that at 10^4", "<= 2x",
        f"{ratio:.2f}x ({statistics.median(found[_LARGE]) * 1e3:.2f} over "
        f"{statistics.median(found[_SMALL]) * 1e3:.2f} ms)",
        ratio <= 2, {"seconds": found},
    )  # fmt: skip


def _with_codes() -> Iterator[Number]:
    """Measure what a ranker holds of 10^6 items when exact vectors lie in a file that is mapped.

    What is mapped the kernel may drop, so only what is not of a file counts.
    """
    what, bar = "10^6 items, d = 128, with codes: ranker's memory", "<= .5 GiB"
    if "vectors_folder" not in RankerConfig.model_fields:
        yield Number(what, bar, "this tree keeps exact vectors only", False)
        return
    with tempfile.TemporaryDirectory(prefix="harken-vectors-") as folder, \
            clients() as (client,), \
            stand(this_tree(), _LARGE, settings={"VECTORS_FOLDER": folder}) as one:  # fmt: skip
        one.warm(client)
        pid = one.rankers[0].pid
        resident, held = memory_of(pid).rss, _anonymous(pid)
    yield Number(what, bar, f"{held / GIB:.2f} GiB (with what is mapped {resident / GIB:.2f})",
                 held <= 0.5 * GIB, {"anonymous": held, "resident": resident})  # fmt: skip


def _anonymous(pid: int) -> int:
    """Return the bytes of a process that are of no file."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) * 1024


def index(_options: argparse.Namespace) -> Iterator[Number]:
    """Measure the index alone: against NumPy, by catalogue size, and when vectors move."""
    yield from index_rows()


def woken(options: argparse.Namespace) -> Iterator[Number]:
    """Count wake-ups and system calls of idle processes, slates and events, now and then.

    There is no bar: the issue wants them counted, and fewer of them.
    """
    yield from wakeups.slates(_PAIR_RATE, _WOKEN_ROUNDS * options.seconds)
    yield from wakeups.events(_PAIR_RATE, _WOKEN_ROUNDS * options.seconds)


ROWS: Mapping[str, tuple[str, Row]] = {
    "recommend": (">= .50 / .35 / .35; >= .35 / .22 / .20", recommend),
    "cold": ("<= .40x", cold),
    "two": (">= 1.8", two),
    "index": (">= 1.0; <= 12x; <= 10 us", index),
    "learner": (">= 60,000; <= 200 us", learner),
    "flip": ("<= 2x; 0", flip),
    "cpu": ("<= .25x", processors),
    "memory": ("<= 1.3 GiB; <= 2x", memory),
    "wakeups": ("-", woken),
}
"""The bars, said of a row that fails, and what measures it."""


def numbers(arguments: list[str]) -> Iterator[Number]:
    """Measure."""
    parser = argparse.ArgumentParser(prog="numbers speed")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS], default=[*ROWS])
    parser.add_argument("--rounds", type=int, default=5, help="in turns; their medians count")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement under load")
    options = parser.parse_args(arguments)
    yield from measured(ROWS, options)
