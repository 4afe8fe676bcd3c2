"""Too many callers: goodput under overload, recovery, callers that only wait, noisy neighbours.

Its bias: load and suite share the machine, so that what the load takes is missing where the load is
large: goodput at 10x is lower than with callers elsewhere. Peak and overload are of the same run,
and both commits are measured in turn on the same machine.
"""

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    catalog_service_pb2,
    embedding_service_pb2,
    embedding_service_pb2_grpc,
    event_pb2,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    item_pb2,
)
from harken.ranker.v1 import ranker_service_pb2
from services.cli.catch_up import wait_for_rankers
from services.cli.clients import connect
from services.cli.endpoints import Endpoints
from services.common.position import Position
from tests.benchmarks.numbers.cheap_calls import CheapCalls, Outcome
from tests.benchmarks.numbers.other_commit import Tree, suite_of, this_tree, tree_of
from tests.benchmarks.numbers.table import Number

ITEMS = 2_000
RECORD = "/harken.feedback.v1.FeedbackService/RecordEvents"
RECOMMEND = "/harken.ranker.v1.RankerService/Recommend"
_QUIET_RATE = 60.0
_STEPS = ((2, 0.9), (5, 0.8), (10, 0.7))
"""Times of saturation, and the share of peak that goodput shall keep."""
_TENANT = "default"
_READERS, _EXPORTS, _NACKS = 60, 20, 20_000


def numbers(arguments: Sequence[str]) -> Iterator[Number]:
    """Measure all rows of this file."""
    parser = argparse.ArgumentParser(prog="numbers hardening_overload")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--old", action="store_true", help="the earlier commit too")
    parser.add_argument("--rows", default="goodput,recovery,waiters,neighbours")
    options = parser.parse_args(list(arguments))
    rows = options.rows.split(",")
    with tempfile.TemporaryDirectory(prefix="harken-numbers-") as name, contextlib.ExitStack() as s:
        trees = [this_tree(), *([s.enter_context(tree_of())] if options.old else [])]
        for tree in trees:
            with _filled_suite(tree, Path(name) / tree.name) as endpoints:
                if "goodput" in rows:
                    yield from goodput(endpoints, tree.name, options.seconds)
                if "recovery" in rows:
                    yield recovery(endpoints, tree.name)
                if "waiters" in rows:
                    yield waiters(endpoints, tree.name, options.seconds)
                if "neighbours" in rows:
                    yield from neighbours(endpoints, tree.name, options.seconds)


@contextlib.contextmanager
def _filled_suite(tree: Tree, folder: Path) -> Iterator[Endpoints]:
    with suite_of(tree, folder) as suite:
        endpoints = Endpoints.read(suite)
        assert endpoints is not None
        asyncio.run(_filled(endpoints))
        yield endpoints


async def _filled(endpoints: Endpoints) -> None:
    async with connect(endpoints) as clients:
        for tenant in (_TENANT, "noisy"):
            items = [item_pb2.Item(item_id=f"i{n}", categories=[f"c{n % 20}"])
                     for n in range(ITEMS)]  # fmt: skip
            for start in range(0, ITEMS, 500):
                answer = await clients.catalog.UpsertItems(
                    catalog_service_pb2.UpsertItemsRequest(
                        tenant=tenant, items=items[start : start + 500]
                    )
                )
            request = feedback_service_pb2.RecordEventsRequest.FromString(_events(tenant, 1000)())
            position = (await clients.feedback.RecordEvents(request)).position
        assert answer.position
        await wait_for_rankers(clients, "noisy", position, 60.0)


def _events(tenant: str, count: int) -> Callable[[], bytes]:
    """Return what makes requests with so many events that nobody sent before."""
    numbers_of = itertools.count()
    drawn = random.Random(1)
    run = f"{time.time_ns():x}-{random.randrange(1 << 30):x}"

    def request() -> bytes:
        message = feedback_service_pb2.RecordEventsRequest(tenant=tenant)
        for _ in range(count):
            message.events.append(
                event_pb2.Event(
                    event_id=f"{run}-{next(numbers_of)}",
                    subject=subject_pb2.Subject(user_id=f"u{drawn.randrange(5000)}"),
                    item_id=f"i{drawn.randrange(ITEMS)}", type="view",
                )
            )  # fmt: skip
        made: bytes = message.SerializeToString()
        return made

    return request


def _slates() -> Callable[[], bytes]:
    """Return what makes requests for slates of ever other users of a few."""
    made = [
        ranker_service_pb2.RecommendRequest(
            tenant=_TENANT, subject=subject_pb2.Subject(user_id=f"u{n}"), count=10, preview=True
        ).SerializeToString()
        for n in range(500)
    ]
    turns = itertools.cycle(made)
    return lambda: next(turns)


def _loads(endpoints: Endpoints) -> dict[str, tuple[str, str, Callable[[], bytes]]]:
    return {
        "Recommend": (endpoints.rankers[0], RECOMMEND, _slates()),
        "RecordEvents": (endpoints.feedback, RECORD, _events(_TENANT, 1)),
    }


def _load(
    target: tuple[str, str, Callable[[], bytes]], deadline: float, rate: float, seconds: float
) -> Outcome:
    address, method, request = target
    calls = CheapCalls(address, method, deadline)
    try:
        return calls.run(rate, seconds, request)
    finally:
        calls.close()


def _peak(target: tuple[str, str, Callable[[], bytes]], seconds: float) -> float:
    """Return the rate at which the most is answered, raised until more does not help."""
    best, rate = 0.0, 200.0
    while True:
        outcome = _load(target, 3.0, rate, seconds / 2)
        best = max(best, outcome.ok / (seconds / 2))
        if outcome.ok < 0.9 * outcome.sent or (outcome.seconds and _p(outcome.seconds, 99) > 1.0):
            return best
        rate *= 1.4


def goodput(endpoints: Endpoints, tree: str, seconds: float) -> Iterator[Number]:
    """Measure answers a second under more calls than can be answered, over the peak."""
    for name, target in _loads(endpoints).items():
        peak = _peak(target, seconds)
        for deadline in (3.0, 0.5):
            for times, bar in _STEPS:
                outcome = _load(target, deadline, peak * times, seconds)
                # Those that waited for the last answers count with the time that they took.
                share = outcome.ok / (seconds * peak)
                p99 = _p(outcome.seconds, 99) * 1e3 if outcome.seconds else float("inf")
                yield Number(
                    f"{name} at {times}x of {peak:,.0f}/s, deadline {deadline:g} s ({tree})",
                    f">= {bar:.0%} of peak",
                    f"{share:.0%}, p99 {p99:.0f} ms, refused {outcome.refused / outcome.sent:.0%},"
                    f" late {outcome.late / outcome.sent:.0%}",
                    share >= bar,
                    {"sent": outcome.sent, "ok": outcome.ok, "peak": peak},
                )
                print(tree, name, times, deadline, f"{share:.2f} p99 {p99:.0f}", flush=True)


def recovery(endpoints: Endpoints, tree: str) -> Number:
    """Measure success at 70% after ten seconds at 10x with callers that call again."""
    found = {}
    for name, target in _loads(endpoints).items():
        peak = _peak(target, 3.0)
        address, method, request = target
        calls = CheapCalls(address, method, 3.0)
        calls.run(peak * 10, 10.0, request, retries=True)
        after = calls.run(peak * 0.7, 8.0, request, retries=True)
        calls.close()
        first = min(due for due, _ in after.moments)
        late = [ok for due, ok in after.moments if due - first >= 5.0]
        found[name] = sum(late) / len(late)
    return Number(
        f"10 s at 10x with retrying clients, back at 70%: success after 5 s ({tree})",
        ">= 99%",
        ", ".join(f"{name} {share:.1%}" for name, share in found.items()),
        min(found.values()) >= 0.99,
        found,
    )


def waiters(endpoints: Endpoints, tree: str, seconds: float) -> Number:
    """Measure slates of others beside 600 calls that wait for a position of the future."""
    target = _loads(endpoints)["Recommend"]
    quiet = _load(target, 1.0, _QUIET_RATE, seconds)
    far = Position(0, 1, 1 << 40).encode()
    near = Position(0, 1, 1_000_000).encode()
    shares, worst = {}, 0.0
    for name, position in (("far", far), ("near", near)):
        request = ranker_service_pb2.RecommendRequest(
            tenant=_TENANT, subject=subject_pb2.Subject(user_id="u1"), min_position=position
        )
        request.wait_budget.seconds = 10
        with _beside(_wait_for_ever, target[0], request.SerializeToString()):
            outcome = _load(target, 1.0, _QUIET_RATE, seconds)
        shares[name] = outcome.ok / outcome.sent
        worst = max(worst, _p(outcome.seconds, 99) / _p(quiet.seconds, 99)) if outcome.ok else 1e9
    return Number(
        f"600 calls that wait 10 s for a position of the future: others' slates ({tree})",
        "p99 <= 2x of quiet",
        f"{worst:.1f}x, {min(shares.values()):.0%} answered",
        worst <= 2 and min(shares.values()) == 1.0,
        {"answered": shares},
    )


def neighbours(endpoints: Endpoints, tree: str, seconds: float) -> Iterator[Number]:
    """Measure RecordEvents of others beside each noisy neighbour."""
    target = _loads(endpoints)["RecordEvents"]
    noises: dict[str, Callable[..., None]] = {
        f"{_READERS} readers of the feed": _read_feeds,
        f"{_EXPORTS} exports": _export,
        "another tenant's batches of 1,000": _send_batches,
        f"{_NACKS:,} nacks": _send_nacks,
    }
    for name, noise in noises.items():
        quiet = _load(target, 3.0, _QUIET_RATE, seconds)
        with _beside(noise, endpoints.feedback):
            noisy = _load(target, 3.0, _QUIET_RATE, seconds)
        before, after = _p(quiet.seconds, 99), _p(noisy.seconds, 99)
        middle = statistics.median(noisy.seconds) / statistics.median(quiet.seconds)
        yield Number(
            f"beside {name}: others' RecordEvents ({tree})",
            "p99 <= 2x of quiet",
            f"{after / before:.1f}x ({before * 1e3:.0f} -> {after * 1e3:.0f} ms),"
            f" p50 {middle:.1f}x",
            after <= 2 * before and noisy.ok == noisy.sent,
            {"ok": noisy.ok, "sent": noisy.sent},
        )
        print(tree, name, f"{before * 1e3:.0f} -> {after * 1e3:.0f} p50 {middle:.1f}x", flush=True)


@contextlib.contextmanager
def _beside(noise: Callable[..., None], *arguments: object) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=noise, args=arguments)
    process.start()
    time.sleep(1.5)
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _wait_for_ever(address: str, request: bytes) -> None:
    calls = CheapCalls(address, RECOMMEND, 12.0)
    calls.run(2000.0, 0.3, lambda: request)
    time.sleep(60)


def _send_batches(address: str) -> None:
    calls = CheapCalls(address, RECORD, 30.0)
    calls.run(20.0, 60.0, _events("noisy", 1000))


def _subscription(address: str, nacks: int) -> None:
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)

        def messages() -> Iterator[embedding_service_pb2.SubscribeRequest]:
            start = embedding_service_pb2.SubscribeStart(subscriber=f"r{random.random()}")
            yield embedding_service_pb2.SubscribeRequest(start=start)
            nack = embedding_service_pb2.Nack(version=1, reason="x" * 800)
            for _ in range(nacks):
                yield embedding_service_pb2.SubscribeRequest(nack=nack)
            time.sleep(60)

        with contextlib.suppress(grpc.RpcError):
            for _ in stub.Subscribe(messages()):
                pass


def _in_threads(count: int, work: Callable[[str], None], address: str) -> None:
    with ThreadPoolExecutor(count) as pool:
        for _ in range(count):
            pool.submit(work, address)


def _read_feeds(address: str) -> None:
    _in_threads(_READERS, lambda at: _subscription(at, 0), address)


def _send_nacks(address: str) -> None:
    _subscription(address, _NACKS)


def _export(address: str) -> None:
    def export(at: str) -> None:
        with grpc.insecure_channel(at) as channel:
            stub = feedback_service_pb2_grpc.FeedbackServiceStub(channel)
            request = feedback_service_pb2.ExportEventsRequest(tenant=_TENANT)
            while True:
                with contextlib.suppress(grpc.RpcError):
                    for _ in stub.ExportEvents(request):
                        pass

    _in_threads(_EXPORTS, export, address)


def _p(seconds: Sequence[float], percent: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * percent / 100))]
