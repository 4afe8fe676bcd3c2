"""Waiting is not working, nobody takes more than a share, streams are bounded (truth 13)."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from harken.feedback.v1 import feedback_service_pb2
from services.common import admission_queue
from services.common.admission_queue import AdmissionQueue
from services.common.bulk_work import BulkWork
from services.common.call_class import CallClass, class_of
from services.common.call_limits import CallLimits
from services.common.errors import OverloadedError
from services.common.position import Position
from services.common.reloadable import Reloadable
from services.common.rpc_interceptor import RpcInterceptor, tenant_of
from services.common.rpc_metrics import RpcMetrics
from services.common.seldom import Seldom
from services.feed.progress import Applied, Progress
from tests.faults import fault_of, reason_of
from tests.waiting import until

AHEAD = Position(0, 1, 1000)
LIMITS = CallLimits(
    in_flight=4, queue_seconds=60.0, standing_seconds=60.0, waiters=8, streams=3, peer_streams=2
)


def tenant_request(tenant: str) -> bytes:
    """Return a request as clients write it."""
    return feedback_service_pb2.RecordEventsRequest(tenant=tenant).SerializeToString()


class Waiting:
    """A server with calls that wait for a position, some that do not, and streams."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.limits = Reloadable(LIMITS)
        self.progress = Progress(Applied(1, 1, 0))
        self.channel: Any = None

    async def wait(self, _request: Any, _context: Any) -> bytes:
        reached = await self.progress.reach(AHEAD, 60.0, strict=False)
        return b"reached" if reached else b"stale"

    async def quick(self, _request: Any, _context: Any) -> bytes:
        return b"quick"

    async def stream(self, _request: Any, _context: Any) -> AsyncIterator[bytes]:
        yield b"open"
        await asyncio.Event().wait()

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def call(self, method: str, request: bytes = b"") -> Any:
        return self.channel.unary_unary(f"/harken.test.Test/{method}")(request, timeout=30.0)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        boundary = RpcInterceptor(RpcMetrics(self.registry), self.limits)
        server = grpc.aio.server(interceptors=[boundary])
        unary: Any = grpc.unary_unary_rpc_method_handler
        parse = feedback_service_pb2.RecordEventsRequest.FromString
        handlers: Any = {
            "Recommend": unary(self.wait, request_deserializer=parse),
            "Quick": unary(self.quick, request_deserializer=parse),
            "Stream": grpc.unary_stream_rpc_method_handler(self.stream),
        }
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("harken.test.Test", handlers),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as self.channel:
            yield
        await server.stop(0)


async def test_who_waits_for_a_position_takes_no_place_of_those_who_work() -> None:
    """Truth 13: six wait where four may be in flight, and none is in the way."""
    served = Waiting()
    served.limits.set(CallLimits(4, 60.0, 60.0, waiters=100))
    async with served.serving():
        waiting: list[Any] = []
        for count in range(1, 7):
            waiting.append(served.call("Recommend", tenant_request(f"t{count}")))
            await until(
                lambda: served.value("harken_rpc_waiters") == len(waiting), "one more to wait"
            )
        assert await served.call("Quick") == b"quick"
        served.progress.advance(Applied(1, 2, AHEAD.sequence))
        assert await asyncio.gather(*waiting) == [b"reached"] * 6
        await until(lambda: served.value("harken_rpc_waiters") == 0, "nobody to wait")


async def test_waiters_are_bounded_by_tenant_and_in_all() -> None:
    served = Waiting()
    served.limits.set(CallLimits(1000, 60.0, 60.0, waiters=8))
    async with served.serving():
        noisy = [served.call("Recommend", tenant_request("noisy")) for _ in range(4)]
        await until(lambda: served.value("harken_rpc_waiters") == 4, "the share of one tenant")
        error = await fault_of(served.call("Recommend", tenant_request("noisy")))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == "OVERLOADED"
        # A larger limit holds from the next call on.
        served.limits.set(CallLimits(1000, 60.0, 60.0, waiters=10))
        more = served.call("Recommend", tenant_request("noisy"))
        await until(lambda: served.value("harken_rpc_waiters") == 5, "one more")
        served.progress.advance(Applied(1, 2, AHEAD.sequence))
        assert await asyncio.gather(*noisy, more) == [b"reached"] * 5


async def test_a_position_of_the_future_is_answered_stale_at_once() -> None:
    """It lies further ahead than can be folded in any budget, so nobody waits for it."""
    progress = Progress(Applied(1, 1, 5))
    waits = asyncio.create_task(progress.reach(Position(0, 1, 6), 60.0, strict=False))
    assert await progress.reach(Position(0, 1, 1 << 62), 60.0, strict=False) is False
    assert not waits.done()
    progress.advance(Applied(1, 2, 6))
    assert await waits


async def test_streams_are_bounded_by_address() -> None:
    served = Waiting()
    async with served.serving():
        method = served.channel.unary_stream("/harken.test.Test/Stream")
        streams = [method(b"") for _ in range(2)]
        for stream in streams:
            assert await stream.read() == b"open"
        error = await fault_of(method(b"").read())
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        streams[0].cancel()
        await until(
            lambda: served.value("harken_rpc_streams_open", method="Stream") == 1, "one to end"
        )
        again = method(b"")
        assert await again.read() == b"open"
        again.cancel()
        streams[1].cancel()
        await until(
            lambda: served.value("harken_rpc_streams_open", method="Stream") == 0, "all to end"
        )


async def test_a_large_flow_waits_for_itself_and_classes_have_their_weight() -> None:
    """Twelve calls of a noisy tenant came first; a slate and an event of others pass them."""
    turns = AdmissionQueue(Reloadable(CallLimits(100, 60.0, 60.0)))
    began: list[str] = []

    async def call(name: str, kind: CallClass, tenant: str, cost: float = 1.0) -> None:
        await turns.take(kind, tenant, cost)
        began.append(name)

    calls = [asyncio.create_task(call("first", CallClass.READS, "quiet"))]
    calls += [
        asyncio.create_task(call("noisy", CallClass.EVENTS, "noisy", 10.0)) for _ in range(12)
    ]
    calls.append(asyncio.create_task(call("event", CallClass.EVENTS, "quiet")))
    calls.append(asyncio.create_task(call("slate", CallClass.SLATES, "quiet")))
    await asyncio.gather(*calls)
    assert began[0] == "first"
    assert max(began.index("event"), began.index("slate")) <= 3
    assert began.count("noisy") == 12


async def rounds_of(monkeypatch: pytest.MonkeyPatch, calm_seconds: float, others: int) -> int:
    """Return how often the loop goes round after a first call; `others` come right behind it."""
    monkeypatch.setattr(admission_queue, "_CALM_SECONDS", calm_seconds)
    # However slow the machine is.
    monkeypatch.setattr(admission_queue, "_LEAST_LOOK", 60.0)
    monkeypatch.setattr(admission_queue, "_MOST_LOOK", 60.0)
    rounds = 0

    class Counting(AdmissionQueue):
        def _round(self) -> None:
            nonlocal rounds
            rounds += 1
            super()._round()

    queue = Counting(Reloadable(LIMITS))
    assert queue.begin()
    behind = []
    for _ in range(others):
        assert queue.refusal(CallClass.READS) is None
        behind.append(asyncio.ensure_future(queue.take()))
    for _ in range(100):
        await asyncio.sleep(0)
    assert queue.waiting == 0
    assert all(one.done() for one in behind)
    return rounds


async def test_for_a_call_that_comes_alone_the_loop_does_not_go_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does when calls follow each other, and when others come with the first: fair turns."""
    assert await rounds_of(monkeypatch, 0.0, others=0) == 1
    assert await rounds_of(monkeypatch, 0.0, others=1) > admission_queue._ROUNDS
    assert await rounds_of(monkeypatch, float("inf"), others=0) == admission_queue._ROUNDS + 1


async def test_work_that_cannot_end_within_its_deadline_is_refused_at_once() -> None:
    turns = AdmissionQueue(Reloadable(CallLimits(100, 60.0, 60.0)))
    await turns.take()
    with pytest.raises(OverloadedError, match="deadline"):
        await turns.take(left=0.2, needs=0.5)
    await turns.take(left=5.0, needs=0.5)


async def test_no_more_begin_than_may_work() -> None:
    working = 0
    turns = AdmissionQueue(Reloadable(CallLimits(100, 60.0, 60.0)), lambda: 2 - working)

    async def call() -> None:
        nonlocal working
        await turns.take()
        working += 1

    calls = [asyncio.create_task(call()) for _ in range(4)]
    await until(lambda: working == 2, "two to begin")
    for _ in range(100):
        await asyncio.sleep(0)
    assert turns.waiting == 2
    working = 1
    turns.go_on()
    await until(lambda: turns.waiting == 1, "the third to begin")
    working = 0
    turns.go_on()
    await asyncio.gather(*calls)


@pytest.mark.parametrize(("seconds", "together"), [(0.0, 11), (0.0002, 5), (0.005, 1)])
async def test_short_calls_begin_together_and_long_ones_one_by_one(
    monkeypatch: pytest.MonkeyPatch, seconds: float, together: int
) -> None:
    """Eleven come. Between two rounds of the loop as many begin as take a millisecond together."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    turns = AdmissionQueue(Reloadable(CallLimits(100, 60.0, 60.0)))
    began: list[int] = []

    async def call(number: int) -> None:
        nonlocal now
        await turns.take()
        began.append(number)
        now += seconds

    async def most_between_rounds(numbers: range) -> int:
        """Let calls come, and return how many begin in one round of the loop."""
        calls = [asyncio.create_task(call(number)) for number in numbers]
        most = 0
        while len(began) <= numbers[-1]:
            before = len(began)
            await asyncio.sleep(0)
            most = max(most, len(began) - before)
        await asyncio.gather(*calls)
        return most

    # How long they take is not known before some have begun.
    await most_between_rounds(range(3))
    assert await most_between_rounds(range(3, 14)) == together
    assert began == sorted(began)


async def test_together_no_more_begin_than_may_work() -> None:
    working = most = 0
    turns = AdmissionQueue(Reloadable(CallLimits(100, 60.0)), lambda: 3 - working)

    async def call(rounds: int) -> None:
        nonlocal working, most
        for _ in range(rounds):
            await asyncio.sleep(0)
        await turns.take()
        working += 1
        most = max(most, working)
        for _ in range(3):
            await asyncio.sleep(0)
        working -= 1
        turns.go_on()

    # Some come in just the round in which the turn of others has come.
    calls = [call(rounds) for rounds in range(400) for _ in range(rounds % 3)]
    await asyncio.wait_for(asyncio.gather(*calls), 30)
    assert most == 3


async def test_slices_of_bulk_work_do_not_lie_side_by_side() -> None:
    """Between any two slices others have several rounds, however much bulk work there is."""
    bulk = BulkWork()
    rounds = 0
    found: list[int] = []
    done = False

    async def count() -> None:
        nonlocal rounds
        while not done:
            rounds += 1
            await asyncio.sleep(0)

    async def work() -> None:
        for _ in range(5):
            async with bulk:
                found.append(rounds)

    counting = asyncio.create_task(count())
    await asyncio.gather(*(work() for _ in range(10)))
    done = True
    await counting
    assert len(found) == 50
    assert all(later - earlier >= 5 for earlier, later in itertools.pairwise(found))


def test_a_repeated_line_is_written_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    seldom = Seldom()
    assert seldom.due() == 0
    assert [seldom.due() for _ in range(7)] == [None] * 7
    now = 101.5
    assert seldom.due() == 7
    assert seldom.due() is None


@pytest.mark.parametrize("tenant", ["", "default", "a" * 63, "ü"])
def test_the_tenant_is_found_without_parsing(tenant: str) -> None:
    assert tenant_of(tenant_request(tenant)) == tenant


@pytest.mark.parametrize("raw", [b"", b"\x0a", b"\x12\x03abc", b"\x0a\xff\xff\xff"])
def test_what_does_not_begin_with_a_tenant_has_none(raw: bytes) -> None:
    assert tenant_of(raw) == ""


def test_slates_go_before_events_and_those_before_reads_and_bulk() -> None:
    order = [class_of(name) for name in ("Recommend", "RecordEvents", "GetItems", "UpsertItems")]
    assert [one.weight for one in order] == sorted((one.weight for one in order), reverse=True)
    assert len(set(order)) == 4


async def test_who_comes_when_all_places_are_taken_begins_when_one_is_free() -> None:
    """Whoever works, and nobody comes later: once, such a call waited for ever."""
    working = 0
    turns = AdmissionQueue(Reloadable(CallLimits(1, 60.0)), lambda: 1 - working)
    await turns.take()
    working = 1
    # The turn has been passed on, to nobody: rounds of the loop, some milliseconds of them.
    for _ in range(20_000):
        await asyncio.sleep(0)
    second = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    assert not second.done()
    working = 0
    turns.go_on()
    await asyncio.wait_for(second, 10)
