"""Too many callers: goodput under overload, recovery, callers that only wait, noisy neighbours.

Its bias: load and suite share the machine, so that what the load takes is missing where the load is
large: goodput at 10x is lower than with callers elsewhere.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import grpc

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    catalog_service_pb2,
    event_pb2,
    feedback_service_pb2,
    item_pb2,
)
from harken.internal.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2
from services.cli.catch_up import wait_for_rankers
from services.cli.clients import connect
from services.cli.endpoints import Endpoints
from services.common.position import Position
from tests.benchmarks.numbers.cheap_calls import CheapCalls, CheapStream, Outcome, read_for_ever
from tests.benchmarks.numbers.other_commit import suite_of, this_tree
from tests.benchmarks.numbers.table import Number

_Target = tuple[str, str, Callable[[], bytes]]
"""Address, method, and what makes requests."""
ITEMS = 2_000
RECORD = "/harken.feedback.v1.FeedbackService/RecordEvents"
RECOMMEND = "/harken.ranker.v1.RankerService/Recommend"
SUBSCRIBE = "/harken.internal.feed.v1.FeedService/Subscribe"
EXPORT = "/harken.feedback.v1.FeedbackService/ExportEvents"
_QUIET_RATE = 60.0
_STEPS = ((2, 0.9), (5, 0.8), (10, 0.7))
"""Times of saturation, and the share of peak that goodput shall keep."""
_RAMP_SECONDS = 1.0
_TENANT = "default"
_READERS, _EXPORTS, _NACKS = 60, 20, 20_000


@contextlib.contextmanager
def _filled_suite() -> Iterator[Endpoints]:
    with (
        tempfile.TemporaryDirectory(prefix="harken-numbers-") as name,
        suite_of(this_tree(), Path(name) / "suite") as suite,
    ):
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


def _loads(endpoints: Endpoints) -> dict[str, _Target]:
    return {
        "Recommend": (endpoints.rankers[0], RECOMMEND, _slates()),
        "RecordEvents": (endpoints.feedback, RECORD, _events(_TENANT, 1)),
    }


def _load(target: _Target, deadline: float, rate: float, seconds: float) -> Outcome:
    address, method, request = target
    calls = CheapCalls(address, method, deadline)
    try:
        return calls.run(rate, seconds, request)
    finally:
        calls.close()


def _steady(target: _Target, deadline: float, rate: float, seconds: float) -> tuple[float, Outcome]:
    """Return answers a second once a queue has had its time to build up, and the outcome."""
    outcome = _load(target, deadline, rate, seconds)
    return outcome.answers_a_second(_RAMP_SECONDS, seconds), outcome


def _saturation(target: _Target) -> float:
    """Return the rate at which the most is answered, raised until more does not help."""
    best, best_rate, rate = 0.0, 0.0, 300.0
    while rate < 1.6 * best_rate or not best_rate:
        answered, _ = _steady(target, 3.0, rate, _RAMP_SECONDS + 1.0)
        if answered > best:
            best, best_rate = answered, rate
        rate *= 1.2
    return best_rate


def goodput(seconds: float) -> Iterator[Number]:
    """Measure answers a second under more calls than can be answered, over the peak, which is
    measured anew beside each.
    """
    with _filled_suite() as endpoints:
        for name, target in _loads(endpoints).items():
            rate = _saturation(target)
            for deadline in (3.0, 0.5):
                for times, bar in _STEPS:
                    peak, _ = _steady(target, 3.0, rate, seconds)
                    answered, outcome = _steady(target, deadline, rate * times, seconds)
                    share = answered / peak
                    p99 = _p(outcome.seconds, 99) * 1e3 if outcome.seconds else float("inf")
                    yield Number(
                        f"{name} at {times}x of {rate:,.0f}/s, deadlines of {deadline:g} s: "
                        "answers a second over the peak",
                        f">= {bar:.2f}",
                        f"{share:.2f} of {peak:,.0f}/s, p99 {p99:.0f} ms, "
                        f"refused {outcome.refused / outcome.sent:.0%}, "
                        f"late {outcome.late / outcome.sent:.0%}, "
                        f"cancelled {outcome.cancelled / outcome.sent:.0%}",
                        share >= bar,
                        {"sent": outcome.sent, "ok": outcome.ok, "peak": peak},
                    )


def back(_seconds: float) -> Iterator[Number]:
    """Measure success at 70% after ten seconds at 10x with callers that call again."""
    found = {}
    with _filled_suite() as endpoints:
        for name, target in _loads(endpoints).items():
            rate = _saturation(target)
            address, method, request = target
            calls = CheapCalls(address, method, 3.0)
            # One goes on where the other ends: calls of the first load are still open.
            calls.run(rate * 10, 10.0, request, retries=True, waits=False)
            after = calls.run(rate * 0.7, 8.0, request, retries=True)
            calls.close()
            late = [ok for due, ok in after.moments if due - after.began >= 5.0]
            found[name] = sum(late) / len(late)
    yield Number(
        "10 s at 10x with retrying clients, back at 70%: success after 5 s",
        ">= 99%",
        ", ".join(f"{name} {share:.1%}" for name, share in found.items()),
        min(found.values()) >= 0.99,
        found,
    )


def waiters(seconds: float) -> Iterator[Number]:
    """Measure slates of others beside 600 calls that wait for a position of the future."""
    with _filled_suite() as endpoints:
        yield _waiters(endpoints, seconds)


def _waiters(endpoints: Endpoints, seconds: float) -> Number:
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
        "600 calls that wait 10 s for a position of the future: others' slates",
        "p99 <= 2x of quiet",
        f"{worst:.1f}x, {min(shares.values()):.0%} answered",
        worst <= 2 and min(shares.values()) == 1.0,
        {"answered": shares},
    )


def neighbours(seconds: float) -> Iterator[Number]:
    """Measure RecordEvents of others beside each noisy neighbour."""
    with _filled_suite() as endpoints:
        yield from _neighbours(endpoints, seconds)


def _neighbours(endpoints: Endpoints, seconds: float) -> Iterator[Number]:
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
            f"beside {name}: others' RecordEvents",
            "p99 <= 2x of quiet",
            f"{after / before:.1f}x ({before * 1e3:.0f} -> {after * 1e3:.0f} ms),"
            f" p50 {middle:.1f}x",
            after <= 2 * before and noisy.ok == noisy.sent,
            {"ok": noisy.ok, "sent": noisy.sent},
        )


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


def _start_of_feed() -> bytes:
    start = feed_service_pb2.SubscribeStart(subscriber=f"r{random.random()}")
    made: bytes = feed_service_pb2.SubscribeRequest(start=start).SerializeToString()
    return made


def _read_feeds(address: str) -> None:
    read_for_ever(
        [CheapStream(address, SUBSCRIBE, _start_of_feed(), ends=False) for _ in range(_READERS)]
    )


def _export(address: str) -> None:
    request = feedback_service_pb2.ExportEventsRequest(tenant=_TENANT).SerializeToString()
    read_for_ever([CheapStream(address, EXPORT, request, ends=True) for _ in range(_EXPORTS)])


def _send_nacks(address: str) -> None:
    def messages() -> Iterator[feed_service_pb2.SubscribeRequest]:
        yield feed_service_pb2.SubscribeRequest.FromString(_start_of_feed())
        nack = feed_service_pb2.Nack(version=1, reason="x" * 800)
        for _ in range(_NACKS):
            yield feed_service_pb2.SubscribeRequest(nack=nack)
        time.sleep(60)

    with grpc.insecure_channel(address) as channel, contextlib.suppress(grpc.RpcError):
        for _ in feed_service_pb2_grpc.FeedServiceStub(channel).Subscribe(messages()):
            pass


def _p(seconds: Sequence[float], percent: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * percent / 100))]
