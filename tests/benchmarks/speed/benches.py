"""The benches: each measures floor and product of one or two trees in turns, round by round."""

import argparse
import contextlib
import json
import statistics
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harken.feedback.v1 import feedback_service_pb2
from tests.benchmarks.lanes.sides import Talk, floor_beneath, suites
from tests.benchmarks.numbers.other_commit import Tree
from tests.benchmarks.speed.figures import Figure
from tests.benchmarks.speed.http2 import MARK
from tests.benchmarks.speed.stand import (
    RECOMMEND,
    Client,
    Served,
    Stand,
    clients,
    echo,
    requests,
    stand,
)

RECORD = "/harken.feedback.v1.FeedbackService/RecordEvents"
CALLERS = (1, 8, 32)
PAUSE_SECONDS = 0.025
_HERE = Path(__file__).parent
_PAUSED_CALLS = 40
_PRICED = 8
"""Callers when processor time is counted, which says more than the clock on a busy machine."""
_USERS = 2_000

Options = argparse.Namespace
"""`rounds`, `seconds` of one measurement, `items` of catalogues (empty: those of the bench), `aio`:
measure with a client of grpc.aio, too."""
Bench = Callable[[Options, Sequence[Tree]], Iterator[Figure]]


class Rounds:
    """Collects what is measured, by what and by whom; makes figures of it."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, list[float]]] = {}
        self._told: dict[str, dict[str, list[Any]]] = {}

    def note(self, what: str, whom: str, value: float, told: Any = None) -> None:
        """Take a value."""
        self._found.setdefault(what, {}).setdefault(whom, []).append(value)
        if told is not None:
            self._told.setdefault(what, {}).setdefault(whom, []).append(told)

    def figure(self, what: str, unit: str, floor_name: str, *, more: bool) -> Figure:
        """Return a figure; whom "floor" was measured by is the floor."""
        found = {whom: list(values) for whom, values in self._found[what].items()}
        told = self._told.get(what, {})
        shares = [one["client"] for some in told.values() for one in some if "client" in one]
        failed = sum(one.get("failed", 0) for some in told.values() for one in some)
        details: dict[str, Any] = {"told": told}
        if shares:
            details["note"] = (
                f"{what}: the client took {statistics.median(shares):.0%} of one processor"
                f" (at most {max(shares):.0%}); {failed} calls failed"
            )
        return Figure(what, unit, more, floor_name, found.pop("floor"), found, details)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)


def in_turns(options: Options, whom: Sequence[str]) -> Iterator[Sequence[str]]:
    """Return who is measured after whom in each round: the floor and the trees, back and forth."""
    for number in range(options.rounds):
        yield whom if number % 2 == 0 else whom[::-1]


def recommend(options: Options, trees: Sequence[Tree]) -> Iterator[Figure]:
    """Measure Recommend of 20 over a bare echo of the same bytes, hot and after a pause."""
    for items in options.items or (2_000, 100_000):
        with stands(trees, items) as (found, floor, client):
            served = {"floor": floor, **{name: one.rankers[0] for name, one in found.items()}}
            yield from _calls(options, f"Recommend, {items:,} items", RECOMMEND, served, client,
                              lambda _name: requests())  # fmt: skip


@contextlib.contextmanager
def stands(
    trees: Sequence[Tree], items: int, rankers: int = 1
) -> Iterator[tuple[dict[str, Stand], Served, Client]]:
    """Run rankers of trees, warm, a bare echo of their answers, and a client."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(clients())[0]
        found = {tree.name: stack.enter_context(stand(tree, items, rankers)) for tree in trees}
        for one in found.values():
            one.warm(client)
        answer = found[trees[-1].name].answer()
        yield found, stack.enter_context(echo(answer)), client


def _calls(
    options: Options, what: str, path: str, served: Mapping[str, Served], client: Client,
    messages: Callable[[str], Sequence[str]],
) -> Iterator[Figure]:  # fmt: skip
    """Measure a method: calls a second at so many callers, and the median after a pause."""
    rounds = Rounds()
    named = {callers: f"{what}, {callers} {'caller' if callers == 1 else 'callers'}"
             for callers in CALLERS}  # fmt: skip
    cold, processor = f"{what}, p50 after 25 ms", f"{what}, processor time a call"
    by_aio = {callers: f"{name}, by grpc.aio" for callers, name in named.items() if options.aio}
    for turns in in_turns(options, [*served]):
        for callers, name in named.items():
            for whom in turns:
                before = served[whom].seconds()
                told = client.do("together", served[whom].target, path, messages(whom),
                                 callers=callers, seconds=options.seconds)  # fmt: skip
                rounds.note(name, whom, told["rate"], told)
                if callers == _PRICED:
                    price = (served[whom].seconds() - before) / told["calls"]
                    rounds.note(processor, whom, price * 1e6)
        for callers, name in by_aio.items():
            for whom in turns:
                told = client.do("aio", served[whom].target, path, messages(whom),
                                 callers=callers, seconds=options.seconds)  # fmt: skip
                rounds.note(name, whom, told["rate"], told)
        for whom in turns:
            told = client.do("apart", served[whom].target, path, messages(whom),
                             count=_PAUSED_CALLS, pause=PAUSE_SECONDS)  # fmt: skip
            rounds.note(cold, whom, told["p50"] * 1e6, told)
    for name in (*named.values(), *by_aio.values()):
        yield rounds.figure(name, "calls/s", "bare echo", more=True)
    yield rounds.figure(processor, "us", "bare echo", more=False)
    yield rounds.figure(cold, "us", "bare echo", more=False)


def record(options: Options, trees: Sequence[Tree]) -> Iterator[Figure]:
    """Measure RecordEvents of single events over a bare echo and over one INSERT a call."""
    with (
        suites(trees, split=False) as sides,
        floor_beneath(sides[-1]) as floor,
        clients() as (client,),
    ):
        pid_of = {side.name: side.pid_of("feedback") for side in sides}
        served = {side.name: Served(side.endpoints.feedback, pid_of[side.name]) for side in sides}
        rounds = Rounds()
        names = {f"RecordEvents(1), {callers} {'caller' if callers == 1 else 'callers'}": callers
                 for callers in (1, 8, 64)}  # fmt: skip
        insert, cold = "{} over an INSERT a call", "RecordEvents(1), p50 after 25 ms"
        for turns in in_turns(options, ["floor", *served]):
            for name, callers in names.items():
                for whom in turns:
                    given = {"callers": callers, "seconds": options.seconds}
                    if whom == "floor":
                        told = client.do(
                            "together", floor.target, "/floor/Record", events(), **given
                        )
                        rounds.note(name, whom, told["rate"], told)
                        told = client.do(
                            "together", floor.target, "/floor/Insert", events(), **given
                        )
                        rounds.note(insert.format(name), whom, told["rate"], told)
                        continue
                    told = client.do("together", served[whom].target, RECORD, events(), **given)
                    rounds.note(name, whom, told["rate"], told)
                    rounds.note(insert.format(name), whom, told["rate"], told)
                    _reach(sides, whom)
            for whom in turns:
                target, path = ((floor.target, "/floor/Record") if whom == "floor"
                                else (served[whom].target, RECORD))  # fmt: skip
                told = client.do("apart", target, path, events(), count=_PAUSED_CALLS,
                                 pause=PAUSE_SECONDS)  # fmt: skip
                rounds.note(cold, whom, told["p50"] * 1e6, told)
        for name in names:
            yield rounds.figure(name, "calls/s", "bare echo", more=True)
            yield rounds.figure(insert.format(name), "calls/s", "pooled INSERT", more=True)
        yield rounds.figure(cold, "us", "bare echo", more=False)


def _reach(sides: Sequence[Any], whom: str) -> None:
    # What came in is learned before anyone else is measured.
    next(side for side in sides if side.name == whom).do("reach")


def events() -> list[str]:
    """Return requests with an event each, as hexadecimal digits, that no one sent before: the
    client counts where MARK stands.
    """
    run = uuid.uuid4().hex[:8]
    found = []
    for number in range(256):
        request = feedback_service_pb2.RecordEventsRequest()
        event = request.events.add(event_id=f"{run}-{MARK}", type="view")
        event.subject.user_id = f"user-{number * 7 % _USERS}"
        event.item_id = f"item-{number * 31 % 2_000}"
        found.append(request.SerializeToString().hex())
    return found


class Inside:
    """What is measured in a process of a tree, without calls."""

    def __init__(self, tree: Tree) -> None:
        self._name = tree.name
        command = ["-P", str(_HERE / "inside.py")]
        self._talk = Talk(command, cwd=tree.folder, env=dict(tree.environment))

    def do(self, what: str, **given: Any) -> Any:
        """Have it measure something of inside.py; return what it answers.

        Raises:
            RuntimeError: it could not.

        """
        answer = json.loads(self._talk.say(json.dumps({"do": what, **given})))
        if "failed" in answer:
            raise RuntimeError(f"{self._name}: {what}: {answer['failed']}")
        return answer["done"]

    def close(self) -> None:
        """Let it end."""
        self._talk.close()


@contextlib.contextmanager
def insides(trees: Sequence[Tree]) -> Iterator[Mapping[str, Inside]]:
    """Run a process of each tree."""
    with contextlib.ExitStack() as stack:
        found = {}
        for tree in trees:
            found[tree.name] = Inside(tree)
            stack.callback(found[tree.name].close)
        yield found


def _without_calls(
    options: Options, trees: Sequence[Tree], asked: Mapping[str, Mapping[str, Any]], floor: str
) -> Iterator[Figure]:
    """Measure what is asked for, by name, in microseconds of processor time.

    Each tree's process measures the floor, too; one more round, not counted, makes all ready.
    """
    with insides(trees) as found:
        rounds = Rounds()
        for number, turns in enumerate([[*found], *in_turns(options, [*found])]):
            for name, given in asked.items():
                floors = []
                for whom in turns:
                    told = found[whom].do(**given)
                    floors.append(told["floor"] * 1e6)
                    if number:
                        rounds.note(name, whom, told["product"] * 1e6, told)
                if number:
                    rounds.note(name, "floor", statistics.fmean(floors))
        for name in asked:
            yield rounds.figure(name, "us", floor, more=False)


def slates(options: Options, trees: Sequence[Tree]) -> Iterator[Figure]:
    """Measure a slate in a process, from request bytes to answer bytes, hot and after a pause."""
    for items in options.items or (2_000, 100_000):
        common = {"what": "slate", "items": items}
        what = f"slate of 20, {items:,} items"
        asked = {
            f"{what}, hot": {**common, "repeats": 200},
            f"{what}, after 25 ms": {**common, "repeats": 40, "pause": PAUSE_SECONDS},
        }
        yield from _without_calls(options, trees, asked, "one scan by NumPy")


def learner(options: Options, trees: Sequence[Tree]) -> Iterator[Figure]:
    """Measure steps of the learner: of 1,000 events, and of one."""
    items = (options.items or [100_000])[0]
    common = {"what": "steps", "items": items, "warm": 30}
    asked = {
        f"learner, step of 1,000 events, {items:,} items": {**common, "steps": 3, "events": 1_000},
        f"learner, step of one event, {items:,} items": {**common, "steps": 200, "events": 1},
    }
    yield from _without_calls(options, trees, asked, "its vectors by NumPy")


def index(options: Options, trees: Sequence[Tree]) -> Iterator[Figure]:
    """Measure the ranker's index: the best 200, and 100 vectors that move."""
    for items in options.items or (10_000, 100_000):
        best = {"what": "search", "items": items, "repeats": 40}
        moves = {"what": "update", "items": items, "repeats": 100}
        for name, given, floor in (
            (f"best 200 of {items:,}", best, "matmul and argpartition"),
            (f"100 of {items:,} vectors move", moves, "NumPy's assignment"),
        ):
            yield from _without_calls(options, trees, {name: given}, floor)


BENCHES: Mapping[str, Bench] = {
    "recommend": recommend, "record": record, "learner": learner, "index": index, "slate": slates,
}  # fmt: skip
