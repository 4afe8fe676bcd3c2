"""How fast events come through, and how many."""

import argparse
import json
import statistics
from collections.abc import Iterator
from typing import Any

import grpc

from tests.benchmarks.lanes.sides import (
    Side,
    floor_beneath,
    noise,
    ratios,
    rounds_of,
    sides,
    spread,
)
from tests.benchmarks.numbers.table import Number

_THROUGH_EVENTS = 30_000
_RECORD_SECONDS = 2.0
_CALLERS = 64
_FRESH = 300
_SLATE_RATE, _BESIDE_SECONDS = 40.0, 6.0
_STEP_SECONDS = 6.0
_FIRST_RATE, _FACTOR, _LEAST_FACTOR = 50.0, 1.5, 1.1
_ALLOWED_SECONDS = 0.050


def through(options: argparse.Namespace) -> Iterator[Number]:
    """Measure events a second until ranker, profile and learner have them."""
    rates: dict[str, list[float]] = {}
    details: dict[str, list[dict[str, Any]]] = {}
    with sides(split=options.split) as found:
        for number, turns in rounds_of(options.rounds, found):
            for side in turns:
                took = side.do("through", events=_THROUGH_EVENTS, callers=8, batch=100)
                rates.setdefault(side.name, []).append(took["events"] / took["seconds"])
                details.setdefault(side.name, []).append(took)
                print(
                    f"through, round {number + 1}, {side.name}: {rates[side.name][-1]:,.0f}/s: "
                    + ", ".join(
                        f"{one} after {took[one]:.2f} s"
                        for one in ("recorded", "profile", "ranker", "learner")
                    )
                    + noise([took]),
                    flush=True,
                )
        then, now = (side.name for side in found)
    quotients = ratios(rates[now], rates[then])
    ratio = statistics.median(quotients)
    yield Number(
        "events a second through learner, profile and ranker, RecordEvents(100) of 8 callers, over "
        "then",
        ">= 5x",
        f"{ratio:.2f}x ({statistics.median(rates[now]):,.0f} over "
        f"{statistics.median(rates[then]):,.0f}{noise(details[now])})",
        ratio >= 5,
        {
            "ratio": spread(quotients),
            "rates": {name: spread(one) for name, one in rates.items()},
            "rounds": details,
        },
    )


def record(options: argparse.Namespace) -> Iterator[Number]:
    """Measure single events a second of 64 callers, beside a bare echo and an INSERT each."""
    rates: dict[str, list[float]] = {}
    answers: list[dict[str, Any]] = []

    def note(what: str, told: dict[str, Any]) -> None:
        rates.setdefault(what, []).append(told["rate"])
        answers.append(told)
        print(f"record, {what}: {told['rate']:,.0f}/s{noise([told])}", flush=True)

    with sides(split=options.split) as found, floor_beneath(found[-1]) as floor:
        then, now = (side.name for side in found)
        asked = {"callers": _CALLERS, "seconds": _RECORD_SECONDS}
        for _, turns in rounds_of(max(options.rounds, 5), found):
            # The floor with the client of this tree, as this tree.
            for name in ("Record", "Insert"):
                path = f"/floor/{name}"
                told = found[-1].do("record", **asked, target=floor.target, path=path)
                note(name.lower(), told)
            rates.setdefault("bare insert", []).append(_bare_inserts(floor.target))
            for side in turns:
                told = side.do("record", **asked)
                note(side.name, told)
                assert set(told["counts"]) <= {"ok", "warm"}, told
                side.do("reach")
    details = {name: spread(one) for name, one in rates.items()}
    for what, name, bar, text in (
        ("bare echo", "record", 0.60, ">= .60"),
        ("one pooled INSERT a call", "insert", 1.5, ">= 1.5x"),
    ):
        over = {side: ratios(rates[side], rates[name]) for side in (then, now)}
        ratio, before = (statistics.median(over[side]) for side in (now, then))
        yield Number(
            f"RecordEvents(1) of {_CALLERS} callers over {what}",
            text,
            f"{ratio:.2f} ({statistics.median(rates[now]):,.0f} over "
            f"{statistics.median(rates[name]):,.0f}/s; then {before:.2f}{noise(answers)})",
            ratio >= bar,
            {"ratios": {side: spread(one) for side, one in over.items()}, "rates": details},
        )


def _bare_inserts(target: str) -> float:
    asked = {"callers": _CALLERS, "seconds": _RECORD_SECONDS, "size": 60}
    with grpc.insecure_channel(target) as channel:
        call: Any = channel.unary_unary("/floor/Inserts")
        return float(json.loads(call(json.dumps(asked).encode(), timeout=60)))


def fresh(options: argparse.Namespace) -> Iterator[Number]:
    """Measure the time from the return of RecordEvents to that of a strict slate, one caller."""
    times: dict[str, dict[str, list[float]]] = {}
    answers: list[dict[str, Any]] = []

    def note(name: str, seconds: list[float], told: dict[str, Any]) -> None:
        answers.append(told)
        for what, value in _percentiles(seconds).items():
            times.setdefault(name, {}).setdefault(what, []).append(value)
        print(f"fresh, {name}: {_said(seconds)}{noise([told])}", flush=True)

    with sides(split=options.split) as found, floor_beneath(found[-1]) as floor:
        then, now = (side.name for side in found)
        for side in found:
            side.do("fresh", count=50)
        for _, turns in rounds_of(max(options.rounds, 5), found):
            told = found[-1].do(
                "commit_and_echoes", count=_FRESH, dsn=floor.dsn, target=floor.target
            )
            note("floor", told["effect"], told)
            for side in turns:
                told = side.do("fresh", count=_FRESH)
                note(side.name, told["effect"], told)
                for held, what in ((True, "held users"), (False, "others")):
                    kind = [one for one, was in zip(told["effect"], told["held"], strict=True)
                            if was is held]  # fmt: skip
                    if len(kind) > 1:
                        note(f"{side.name}, {what}", kind, told)
                whole = [a + b for a, b in zip(told["record"], told["effect"], strict=True)]
                note(f"{side.name}, with RecordEvents", whole, told)
    details = {
        name: {what: spread(one) for what, one in each.items()} for name, each in times.items()
    }
    for what, bar in (("p50", 1.5), ("p99", 2.5)):
        over = {side: ratios(times[side][what], times["floor"][what]) for side in (then, now)}
        ratio, before = (statistics.median(over[side]) for side in (now, then))
        yield Number(
            f"RecordEvents returned to strict slate, one caller, over a commit and two echoes: "
            f"{what}",
            f"<= {bar:g}",
            f"{ratio:.2f} ({statistics.median(times[now][what]) * 1e3:.1f} over "
            f"{statistics.median(times['floor'][what]) * 1e3:.1f} ms; then {before:.2f}"
            f"{noise(answers)})",
            ratio <= bar,
            {"ratios": {side: spread(one) for side, one in over.items()}, "seconds": details},
        )


def _percentiles(seconds: list[float]) -> dict[str, float]:
    parts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": parts[49], "p99": parts[98]}


def _said(seconds: list[float]) -> str:
    return ", ".join(f"{what} {one * 1e3:.1f} ms" for what, one in _percentiles(seconds).items())


def beside(options: argparse.Namespace) -> Iterator[Number]:
    """Measure slates at 40/s: alone, beside 200 single events/s, beside 1,000/s in tens."""
    loads = {"quiet": (0.0, 1), "200 single events/s": (200.0, 1), "1,000/s in tens": (1000.0, 10)}
    p99: dict[str, dict[str, list[float]]] = {}
    details: dict[str, list[dict[str, Any]]] = {}
    with sides(split=options.split) as found:
        then, now = (side.name for side in found)
        for number, turns in rounds_of(max(options.rounds, 5), found):
            for side in turns:
                for name, (events, batch) in loads.items():
                    told = side.do("slates", rate=_SLATE_RATE, seconds=_BESIDE_SECONDS,
                                   events=events, batch=batch)  # fmt: skip
                    p99.setdefault(side.name, {}).setdefault(name, []).append(told["p99"])
                    details.setdefault(side.name, []).append({"load": name, **told})
                    print(
                        f"beside, round {number + 1}, {side.name}, {name}: p50 "
                        f"{told['p50'] * 1e3:.1f}, p99 {told['p99'] * 1e3:.1f} ms"
                        + _failed(told) + _failed(told["beside"]) + noise([told]),
                        flush=True,
                    )  # fmt: skip
                    side.do("reach")
    for name, bar in (("200 single events/s", 1.3), ("1,000/s in tens", 1.8)):
        over = {side: ratios(p99[side][name], p99[side]["quiet"]) for side in (then, now)}
        # Of medians: what disturbs a quiet round would make a ratio look good.
        ratio, before = (
            statistics.median(p99[side][name]) / statistics.median(p99[side]["quiet"])
            for side in (now, then)
        )
        yield Number(
            f"slate p99 at 40/s beside {name} over quiet",
            f"<= {bar:g}",
            f"{ratio:.2f} ({statistics.median(p99[now][name]) * 1e3:.1f} over "
            f"{statistics.median(p99[now]['quiet']) * 1e3:.1f} ms; then {before:.2f}"
            f"{noise(details[now])})",
            ratio <= bar,
            {
                "ratios": {side: spread(one) for side, one in over.items()},
                "p99": {side: {load: spread(one) for load, one in each.items()}
                        for side, each in p99.items()},
                "calls": details,
            },
        )  # fmt: skip


def _failed(told: dict[str, dict[str, int]]) -> str:
    return f", failed {told['failed']}" if told.get("failed") else ""


def pairs(options: argparse.Namespace) -> Iterator[Number]:
    """Search the highest rate of (event + strict slate) with a p99 of at most 50 ms."""
    rates: dict[str, list[float]] = {}
    tried: dict[str, list[dict[str, Any]]] = {}
    with sides(split=options.split) as found:
        then, now = (side.name for side in found)
        for number, _ in rounds_of(options.rounds, found):
            searches = {side: Search(_FIRST_RATE) for side in found}
            # Step by step in turns.
            while going := [side for side in found if not searches[side].done]:
                for side in going:
                    searches[side].note(_holds(side, searches[side].rate, tried))
            for side, search in searches.items():
                rates.setdefault(side.name, []).append(search.best)
                print(f"rate, round {number + 1}, {side.name}: {search.best:.0f}/s", flush=True)
    quotients = ratios(rates[now], rates[then])
    ratio = statistics.median(quotients)
    yield Number(
        "highest rate of (event + strict slate) with p99 <= 50 ms, over then",
        ">= 3x",
        f"{ratio:.2f}x ({statistics.median(rates[now]):.0f} over "
        f"{statistics.median(rates[then]):.0f}/s{noise(tried[now])})",
        ratio >= 3,
        {
            "ratio": spread(quotients),
            "rates": {name: spread(one) for name, one in rates.items()},
            "steps": tried,
        },
    )


def _holds(side: Side, rate: float, tried: dict[str, list[dict[str, Any]]]) -> bool:
    """Say whether a rate holds; it may be tried twice, as a tail can be that of the machine."""
    for _ in range(2):
        told = side.do("pairs", rate=rate, seconds=_STEP_SECONDS)
        tried.setdefault(side.name, []).append({"rate": rate, **told})
        print(
            f"rate, {side.name} at {rate:.0f}/s: p50 {told['p50'] * 1e3:.1f}, "
            f"p99 {told['p99'] * 1e3:.1f} ms" + _failed(told) + noise([told]),
            flush=True,
        )
        side.do("reach")
        if told["p99"] <= _ALLOWED_SECONDS:
            return True
        if told["p50"] > _ALLOWED_SECONDS:
            return False
    return False


class Search:
    """The highest rate that holds: up by a factor until one does not, then between the two."""

    def __init__(self, first: float) -> None:
        self.rate = first
        self.best = 0.0
        self.done = False
        self._too_high = float("inf")

    def note(self, holds: bool) -> None:
        """Take whether `rate` holds; then `rate` is the next one to try, unless `done`."""
        if holds:
            self.best = self.rate
        else:
            self._too_high = self.rate
        if self._too_high == float("inf"):
            self.rate = self.best * _FACTOR
        elif not self.best:
            # Not even the first one held.
            self.rate = self._too_high / _FACTOR
            self.done = self.rate < 1
        else:
            self.rate = (self.best * self._too_high) ** 0.5
            self.done = self._too_high / self.best < _LEAST_FACTOR**2
