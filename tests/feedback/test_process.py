"""The process: roles, overload, a store that fails for a moment (truths 13 and 14)."""

import asyncio
from typing import Any

import asyncpg
import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from harken.internal.feed.v1 import feed_service_pb2
from tests.faults import fault_of, reason_of
from tests.feedback.conftest import Connect, FeedbackProcesses, record_sequence
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until


async def test_overload_is_shed_with_a_delay_and_probes_are_answered(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Truth 13: one call is held in the store, the limit is one, the next is shed at once."""
    _, target = processes.start("feedback", max_in_flight="1")
    client = connect(target)
    await client.upsert(1)
    async with admin.transaction():
        await admin.execute("SELECT 1 FROM feedback.shards FOR UPDATE")
        held = asyncio.create_task(record_sequence(client, "held"))

        async def is_held() -> bool:
            waiting = await admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(waiting)

        await until(is_held, "the first call to be held")
        error = await fault_of(record_sequence(client, "shed"))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == "OVERLOADED"
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        retry = error_details_pb2.RetryInfo()
        assert status is not None
        assert any(detail.Unpack(retry) for detail in status.details)
        assert retry.retry_delay.ToMilliseconds() > 0
        health: Any = health_pb2_grpc.HealthStub(client.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await held
    await record_sequence(client, "shed")


async def test_a_learner_takes_no_events_and_serves_the_feed(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    _, ingest = processes.start("ingest", role="ingest")
    _, learner = processes.start("learner", role="learner")
    await connect(ingest).upsert(1)
    error = await fault_of(record_sequence(connect(learner), "x"))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    last = await record_sequence(connect(ingest), "x")
    for target in (ingest, learner):
        start = feed_service_pb2.ResumePoint()
        async with FeedReader(connect(target), resume=start) as reader:
            await reader.read("welcome")
            await reader.frames_through(last)


async def test_a_checkpoint_that_fails_does_not_stop_learning(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    _, target = processes.start(
        "feedback", checkpoint_versions="2", checkpoint_seconds="0.01", lease_seconds="0.3"
    )
    client = connect(target)
    await client.upsert(1)
    async with admin.transaction():
        await admin.execute("LOCK TABLE feedback.checkpoints IN ACCESS EXCLUSIVE MODE")
        numbers = iter(range(1000))

        async def writer() -> int | None:
            await record_sequence(client, f"before-{next(numbers)}")
            pid: int | None = await admin.fetchval(
                "SELECT pid FROM pg_locks WHERE NOT granted AND"
                " relation = 'feedback.checkpoints'::regclass LIMIT 1"
            )
            return pid

        await until(writer, "a checkpoint to wait")
        pid = await writer()
        assert await admin.fetchval("SELECT pg_terminate_backend($1)", pid)
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        for number in range(5):
            await reader.frames_through(await record_sequence(client, f"after-{number}"))

    async def written() -> bool:
        await record_sequence(client, f"more-{next(numbers)}")
        return bool(await admin.fetchval("SELECT count(*) FROM feedback.checkpoints"))

    await until(written, "a later checkpoint")
