"""The measures that are ours, against plain oracles."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from services.common.call_limits import CallLimits
from services.common.pipeline_latency import ACCEPTED, VISIBLE, PipelineLatency
from services.common.reloadable import Reloadable
from services.common.rpc_interceptor import RpcInterceptor
from services.common.rpc_metrics import RpcMetrics
from services.feed.feed_lag import FeedLag
from tests.waiting import until

BOUNDS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
SECONDS = st.one_of(st.sampled_from(BOUNDS), st.floats(0, 1000, allow_subnormal=False))


@given(st.lists(st.tuples(st.integers(1, 5), SECONDS), max_size=20))
def test_stages_count_as_the_client_library_does(passed: list[tuple[int, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    stage = PipelineLatency(ours).stage(ACCEPTED)
    oracle = Histogram("harken_loop_stage_seconds", "x", ["stage"], buckets=BOUNDS, registry=theirs)
    child = oracle.labels(ACCEPTED)
    for events, seconds in passed:
        stage.count(events, seconds)
        for _ in range(events):
            child.observe(seconds)
    for line in generate_latest(theirs).decode().splitlines():
        if line.startswith(("#", "harken_loop_stage_seconds_created")):
            continue
        name, value = line.rsplit(" ", 1)
        own = dict(
            one.rsplit(" ", 1) for one in generate_latest(ours).decode().splitlines() if "{" in one
        )
        assert float(own[name]) == pytest.approx(float(value)), name


def test_events_of_one_step_have_ages_of_their_own() -> None:
    """An old event in a step with a new one is not taken for a new one."""
    registry = CollectorRegistry()
    now_us = int(time.time() * 1e6)
    PipelineLatency(registry).stage(VISIBLE).passed([now_us, now_us - 20_000_000], [2, 1], 0.0)

    def up_to(bound: str) -> float | None:
        labels = {"stage": VISIBLE, "le": bound}
        return registry.get_sample_value("harken_loop_stage_seconds_bucket", labels)

    assert (up_to("10.0"), up_to("30.0"), up_to("+Inf")) == (1, 2, 2)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_lag_is_how_long_the_oldest_version_has_waited() -> None:
    clock = Clock()
    lag = FeedLag(clock)
    assert lag.seconds(connected=True) == 0
    lag.heard(5, since=998.0)
    lag.heard(6, since=999.5)
    lag.heard(6, since=1.0)
    assert lag.seconds(connected=True) == 2.0
    lag.applied(5)
    assert lag.seconds(connected=True) == 0.5
    clock.now = 1010.0
    assert lag.seconds(connected=True) == 10.5
    lag.applied(6)
    assert lag.seconds(connected=True) == 0
    # Clocks differ: what is accepted in our future waits for no negative time.
    lag.heard(7, since=2000.0)
    assert lag.seconds(connected=True) == 0


def test_without_a_connection_lag_is_the_time_since_the_feed_was_heard() -> None:
    clock = Clock()
    lag = FeedLag(clock)
    lag.heard(1)
    lag.applied(1)
    clock.now = 1060.0
    assert lag.seconds(connected=False) == 60.0
    # A snapshot may lead back: what is after it waits again.
    lag.applied(0)
    lag.heard(1, since=1055.0)
    assert lag.seconds(connected=True) == 5.0


def test_what_a_restore_took_back_is_not_waited_for() -> None:
    clock = Clock()
    lag = FeedLag(clock)
    lag.applied(4)
    lag.heard(5, since=998.0)
    lag.heard(900, since=999.0)
    lag.head_is(4)
    clock.now = 1100.0
    assert lag.seconds(connected=True) == 0
    lag.head_is(5)
    clock.now = 1103.0
    assert lag.seconds(connected=True) == 3.0


class Served:
    """A server with one slow unary call and one stream, behind the boundary."""

    def __init__(self, address: str, registry: CollectorRegistry) -> None:
        self.registry = registry
        # Its methods have no stubs, so the type checker knows no types of their messages.
        self.channel: Any = grpc.aio.insecure_channel(address)

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def slow(self, **options: Any) -> Any:
        return self.channel.unary_unary("/harken.test.Test/Slow")(b"", **options)

    def ticks(self) -> Any:
        return self.channel.unary_stream("/harken.test.Test/Ticks")(b"")


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    registry = CollectorRegistry()
    never = asyncio.Event()

    async def slow(_request: bytes, _context: Any) -> bytes:
        await never.wait()
        return b""

    async def ticks(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"tick"
        await never.wait()

    handlers: Any = {
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Ticks": grpc.unary_stream_rpc_method_handler(ticks),
    }
    server = grpc.aio.server(
        interceptors=[RpcInterceptor(RpcMetrics(registry), Reloadable(CallLimits(1, 60.0)))]
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("harken.test.Test", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    own = Served(f"127.0.0.1:{port}", registry)
    yield own
    await own.channel.close()
    await server.stop(0)


async def _ended(served: Served, method: str, code: str) -> None:
    await until(
        lambda: served.value("harken_rpc_handled_total", method=method, code=code) == 1,
        f"{method} to end with {code}",
    )


async def test_calls_that_end_early_are_counted_by_why(served: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await served.slow(timeout=0.2)
    await _ended(served, "Slow", "DEADLINE_EXCEEDED")
    call = served.slow()
    await until(lambda: served.value("harken_rpc_in_flight") == 1, "the call to arrive")
    with pytest.raises(grpc.aio.AioRpcError) as shed:
        await served.slow()
    assert shed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await _ended(served, "Slow", "RESOURCE_EXHAUSTED")
    assert served.value("harken_rpc_shed_total", method="Slow") == 1
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call
    await _ended(served, "Slow", "CANCELLED")
    assert served.value("harken_rpc_in_flight") == 0
    # Those shed are not in the durations.
    assert served.value("harken_rpc_seconds_count", method="Slow") == 2


async def test_streams_are_counted_while_open_and_timed_when_ended(served: Served) -> None:
    call = served.ticks()
    for _ in range(3):
        assert await call.read() == b"tick"
    assert served.value("harken_rpc_streams_open", method="Ticks") == 1
    # A message may be read before the server has counted it, and the next one is on its way.
    await until(
        lambda: served.value("harken_rpc_stream_messages_total", method="Ticks") >= 3, "3 messages"
    )
    assert served.value("harken_rpc_stream_seconds_count", method="Ticks") == 0
    call.cancel()
    await _ended(served, "Ticks", "CANCELLED")
    await until(
        lambda: served.value("harken_rpc_stream_seconds_count", method="Ticks") == 1, "its time"
    )
    await until(lambda: served.value("harken_rpc_streams_open", method="Ticks") == 0, "none open")
