"""SIGTERM under load: readiness is lost, calls in flight are finished, streams end retryably."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harken.feedback.v1 import (
    feedback_service_pb2,
    feedback_service_pb2_grpc,
)
from harken.internal.feed.v1 import feed_service_pb2
from harken.profile.v1 import profile_service_pb2, profile_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.cli.suite import Suite
from services.common.channels import open_channel
from services.common.server import DRAIN_SECONDS
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event, user
from tests.end_to_end.process_metrics import metric
from tests.faults import reason_of
from tests.waiting import until

CALLERS = 8
Codes = Counter[grpc.StatusCode]


async def keep_calling(call: Callable[[int], Awaitable[Any]], codes: Codes) -> None:
    """Call one after the other until cancelled, or until nothing is there to call; no retries."""
    number = 0
    while True:
        number += 1
        try:
            await call(number)
        except grpc.aio.AioRpcError as error:
            codes[error.code()] += 1
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return
        else:
            codes[grpc.StatusCode.OK] += 1


@contextlib.asynccontextmanager
async def loaded(call: Callable[[str], Awaitable[Any]], codes: Codes) -> AsyncIterator[None]:
    """Call from several places at once; all calls that were begun have ended after the block."""
    tasks = [
        asyncio.create_task(keep_calling(lambda n, who=who: call(f"{who}-{n}"), codes))  # type: ignore[misc]
        for who in range(CALLERS)
    ]
    try:
        yield
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def terminate(suite: Suite, name: str) -> float:
    suite.processes[name].signal(signal.SIGTERM)
    return time.monotonic()


async def ended(suite: Suite, name: str, began: float) -> float:
    """Wait until a process has ended well; return the seconds it took."""
    process = suite.processes[name]
    await until(lambda: not process.running, f"the end of {name}", DRAIN_SECONDS + 5)
    assert process.exit_code == 0, process.log_tail()
    return time.monotonic() - began


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(
        preset="media",
        split_feedback=True,
        # The learner is stopped for a moment, and must not lose its lead by that.
        environment={"feedback": {"HARKEN_FEEDBACK_LEASE_SECONDS": "30"}},
    )


async def fill(caller: Caller) -> bytes:
    position = await caller.upsert(*catalogue())
    await caller.slate("nobody", position)
    return position


@pytest.mark.parametrize("name", ["ranker-1", "profile", "ingest"])
async def test_no_call_fails_but_by_unavailable_and_the_process_ends_soon(
    running: Suite, name: str
) -> None:
    codes: Codes = Counter()
    await asyncio.to_thread(running.start, name)
    async with (
        caller_of(running) as caller,
        open_channel(running.grpc_endpoints[name]) as channel,
    ):
        await fill(caller)
        known = await caller.record(event("known-1", "known", "space-0"))
        await caller.profile("known", known)
        ranker: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)
        profile: Any = profile_service_pb2_grpc.ProfileServiceStub(channel)
        feedback: Any = feedback_service_pb2_grpc.FeedbackServiceStub(channel)

        async def call(number: str) -> None:
            if name == "ranker-1":
                await ranker.Recommend(
                    ranker_service_pb2.RecommendRequest(subject=user(number)), timeout=20
                )
            elif name == "profile":
                await profile.GetProfile(
                    profile_service_pb2.GetProfileRequest(subject=user("known")), timeout=20
                )
            else:
                await feedback.RecordEvents(
                    feedback_service_pb2.RecordEventsRequest(
                        events=[event(f"drain-{number}", number, "space-0")]
                    ),
                    timeout=20,
                )

        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        states = health_pb2.HealthCheckResponse
        assert (await watch.read()).status == states.SERVING
        async with loaded(call, codes):
            await until(lambda: codes[grpc.StatusCode.OK] > 10 * CALLERS, "calls that succeed")
            began = terminate(running, name)
            assert (await watch.read()).status == states.NOT_SERVING
        seconds = await ended(running, name, began)
        watch.cancel()
    await asyncio.to_thread(running.start, name)
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    # Streams that never end do not use up the time for draining.
    assert seconds < DRAIN_SECONDS - 1, seconds


async def test_a_call_that_waits_for_the_feed_gets_it_during_the_drain(running: Suite) -> None:
    """Truth 8, also then: jobs that answers need go on until the server is drained."""
    async with caller_of(running) as caller:
        await fill(caller)
        learner = running.processes["learner"]
        learner.signal(signal.SIGSTOP)
        try:
            position = await caller.record(event("late-1", "late", "space-0"))
            in_flight = asyncio.create_task(caller.slate("late", position))

            async def arrived() -> bool:
                return await metric(running, "ranker-1", "harken_rpc_waiters") == 1

            await until(arrived, "the call to arrive")
            began = terminate(running, "ranker-1")
            await until(lambda: "draining" in running.processes["ranker-1"].log_tail(), "the drain")
        finally:
            learner.signal(signal.SIGCONT)
        answer = await in_flight
        assert not answer.stale
        assert "space-0" not in {slot.item_id for slot in answer.slots}
        await ended(running, "ranker-1", began)
    await asyncio.to_thread(running.start, "ranker-1")


async def test_a_stream_of_the_feed_ends_with_a_status_to_retry_on(running: Suite) -> None:
    async with caller_of(running) as caller:
        await fill(caller)
        stream = caller.subscribe()
        start = feed_service_pb2.SubscribeStart(
            subscriber="watching", snapshot=feed_service_pb2.FromSnapshot()
        )
        await stream.write(feed_service_pb2.SubscribeRequest(start=start))
        assert (await stream.read()).HasField("welcome")
        began = terminate(running, "ingest")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while await stream.read() is not grpc.aio.EOF:
                pass
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(caught.value) == "NOT_READY"
        await ended(running, "ingest", began)
    await asyncio.to_thread(running.start, "ingest")
