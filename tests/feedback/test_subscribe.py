"""The feed: complete, ordered, resumable (truth 5)."""

import asyncio
import json
import time
from typing import Any

import asyncpg
import grpc
import pytest

from harken.internal.feed.v1 import feed_service_pb2, frame_pb2
from services.cli.service_process import ServiceProcess
from tests.faults import fault_of, fields_of, reason_of
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, record_sequence
from tests.feedback.feed_reader import FeedReader, events_in
from tests.waiting import until

NACKS = 200


async def test_every_version_comes_once_in_order_and_holds_what_was_recorded(
    client: Client,
) -> None:
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        welcome = await reader.read("welcome")
        assert welcome.epoch == 1
        last = 0
        for batch in range(5):
            last = await record_sequence(client, *(f"order-{batch}-{n}" for n in range(7)))
        frames = await reader.frames_through(last)
    assert [frame.version for frame in frames] == list(range(1, len(frames) + 1))
    assert all(frame.after_version == frame.version - 1 for frame in frames)
    through = [frame.through_sequence for frame in frames]
    assert through == sorted(set(through))
    recorded = [e for e in events_in(frames) if e[1].startswith("u:order-")]
    assert [user for _, user, _ in recorded] == [
        f"u:order-{batch}-{n}" for batch in range(5) for n in range(7)
    ]


async def test_a_subscriber_resumes_where_it_was(client: Client) -> None:
    first = await record_sequence(client, "resume-1")
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        frames = await reader.frames_through(first)
    second = await record_sequence(client, "resume-2", "resume-3")
    point = feed_service_pb2.ResumePoint(epoch=1, version=frames[-1].version)
    async with FeedReader(client, resume=point) as reader:
        await reader.read("welcome")
        more = await reader.frames_through(second)
    assert more[0].after_version == frames[-1].version
    users = [user for _, user, _ in events_in(more)]
    assert users == ["u:resume-2", "u:resume-3"]


async def test_only_wanted_sections_come_but_every_version(client: Client) -> None:
    wanted = [frame_pb2.SECTION_POPULARITY]
    start = feed_service_pb2.ResumePoint()
    async with FeedReader(client, resume=start, sections=wanted) as reader:
        await reader.read("welcome")
        frames = await reader.frames_through(await record_sequence(client, "sections"))
    assert [frame.version for frame in frames] == list(range(1, len(frames) + 1))
    changes = [one for frame in frames for one in frame.tenants]
    assert changes
    for one in changes:
        assert one.HasField("popularity")
        assert not any(
            one.HasField(field)
            for field in ("users", "catalogue", "item_vectors", "rules", "activated", "learner")
        )


async def test_ticks_carry_time_when_nothing_happens(client: Client) -> None:
    """Truth 3: the module's process ticks after 0.2 s."""
    async with FeedReader(client, snapshot=True) as reader:
        welcome = await reader.read("welcome")
        await reader.snapshot()
        seen = [await reader.read("frame")]
        while not (seen[-1].version > welcome.head_version and not seen[-1].tenants):
            seen.append(await reader.read("frame"))


@pytest.mark.parametrize(
    ("start", "fields"),
    [
        ({"subscriber": ""}, {"start.subscriber"}),
        ({"shard": 3}, {"start.shard"}),
        ({"sections": [0, 99]}, {"start.sections[0]", "start.sections[1]"}),
    ],
)
async def test_a_wrong_start_names_its_fields(
    client: Client, start: dict[str, object], fields: set[str]
) -> None:
    async with FeedReader(client, **start) as reader:
        error = await fault_of(reader.read("welcome"))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == fields


async def test_a_subscriber_ahead_of_the_head_is_on_a_fork(client: Client) -> None:
    for point in (
        feed_service_pb2.ResumePoint(epoch=1, version=10**9),
        feed_service_pb2.ResumePoint(epoch=7, version=1),
    ):
        async with FeedReader(client, resume=point) as reader:
            error = await fault_of(reader.read("welcome"))
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert reason_of(error) == "EPOCH_LOST"


async def test_forgotten_history_is_out_of_range_and_a_snapshot_replaces_it(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    process, target = processes.start(
        "feedback", checkpoint_versions="3", checkpoint_seconds="0.05", keep_versions="2"
    )
    client = connect(target)
    await client.upsert(20)

    async def first_frame_is_gone() -> bool:
        await record_sequence(client, f"fill-{asyncio.get_running_loop().time()}")
        oldest = await admin.fetchval("SELECT min(version) FROM feedback.frames")
        return bool(oldest is not None and oldest > 1)

    await until(first_frame_is_gone, "frames to be forgotten", 30)
    # The process still has them in memory; another one would not.
    await asyncio.to_thread(process.kill)
    process.start()
    await asyncio.to_thread(process.wait_ready, time.monotonic() + 60)
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        error = await fault_of(reader.read("welcome"))
    assert error.code() == grpc.StatusCode.OUT_OF_RANGE
    assert reason_of(error) == "HISTORY_GONE"
    last = await record_sequence(client, "after")
    async with FeedReader(client, snapshot=True) as reader:
        await reader.read("welcome")
        chunks = await reader.snapshot()
        frames = await reader.frames_through(last)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert frames[0].after_version == chunks[-1].content.version
    items = {
        item.item_id
        for chunk in chunks
        for one in chunk.content.tenants
        for item in one.catalogue.items
    }
    assert items == {f"i{n}" for n in range(20)}
    assert not any(one.HasField("learner") for c in chunks for one in c.content.tenants)


async def test_frames_wait_for_a_durable_subscriber_that_is_away(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    _, target = processes.start(
        "feedback",
        checkpoint_versions="3",
        checkpoint_seconds="0.05",
        keep_versions="0",
        durable_subscribers='["keeper"]',
    )
    client = connect(target)
    await client.upsert(20)
    start = feed_service_pb2.ResumePoint()
    async with FeedReader(client, resume=start, subscriber="keeper", durable=True) as reader:
        await reader.read("welcome")
        first = await reader.read("frame")
        await reader.ack(first.version)

    async def checkpoints() -> bool:
        await record_sequence(client, f"fill-{asyncio.get_running_loop().time()}")
        newest = await admin.fetchval("SELECT max(version) FROM feedback.checkpoints")
        return bool(newest is not None and newest > 8)

    await until(checkpoints, "checkpoints", 30)
    last = await record_sequence(client, "for the keeper")
    point = feed_service_pb2.ResumePoint(epoch=1, version=first.version)
    async with FeedReader(client, resume=point, subscriber="keeper", durable=True) as reader:
        await reader.read("welcome")
        frames = await reader.frames_through(last)
    assert frames[0].after_version == first.version


async def acked_version(admin: asyncpg.Connection, name: str) -> int | None:
    found: int | None = await admin.fetchval(
        "SELECT acked_version FROM feedback.subscribers WHERE subscriber = $1", name
    )
    return found


async def test_acks_never_lie_ahead_of_what_a_durable_subscriber_got(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Truth 5: what a durable subscriber did not get stays."""
    _, target = processes.start("feedback", durable_subscribers='["keeper"]', tick_seconds="0.2")
    client = connect(target)
    await client.upsert(20)
    last = await record_sequence(client, "one", "two")
    for point in (
        feed_service_pb2.ResumePoint(epoch=1, version=2**62),
        feed_service_pb2.ResumePoint(epoch=7, version=1),
    ):
        async with FeedReader(client, resume=point, subscriber="keeper", durable=True) as reader:
            error = await fault_of(reader.read("welcome"))
        assert reason_of(error) == "EPOCH_LOST"
        assert await acked_version(admin, "keeper") is None
    begin = feed_service_pb2.ResumePoint()
    wanted = [frame_pb2.SECTION_POPULARITY]
    async with FeedReader(client, resume=begin, subscriber="keeper", durable=True) as reader:
        await reader.read("welcome")
        frames = await reader.frames_through(last)
        await reader.ack(2**62)

    async def is_noted() -> bool:
        return bool(await acked_version(admin, "keeper"))

    await until(is_noted, "the ack")
    noted = await acked_version(admin, "keeper")
    head = await admin.fetchval("SELECT version FROM feedback.learners")
    assert noted is not None
    assert frames[0].version <= noted <= head
    # A stream that starts earlier is right, whatever was acked before: it needs what follows.
    point = feed_service_pb2.ResumePoint(epoch=1, version=1)
    async with FeedReader(
        client, resume=point, subscriber="keeper", durable=True, sections=wanted
    ) as reader:
        await reader.read("welcome")
        assert await acked_version(admin, "keeper") == 1
        assert (await reader.read("frame")).after_version == 1
    # One that starts later has acked nothing by that.
    point = feed_service_pb2.ResumePoint(epoch=1, version=noted)
    async with FeedReader(client, resume=point, subscriber="keeper", durable=True) as reader:
        await reader.read("welcome")
        assert await acked_version(admin, "keeper") == 1


async def test_the_newest_stream_of_a_durable_name_is_the_one_that_acks(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """A stream that hangs locks nobody out, and one that was replaced drops nothing."""
    _, target = processes.start("feedback", durable_subscribers='["keeper"]', tick_seconds="0.2")
    client = connect(target)
    await client.upsert(20)
    last = await record_sequence(client, "one", "two")
    begin = feed_service_pb2.ResumePoint()
    settings = {"resume": begin, "subscriber": "keeper", "durable": True}
    async with FeedReader(client, **settings) as older:
        await older.read("welcome")
        seen = (await older.frames_through(last))[-1].version
        async with FeedReader(client, **settings) as newer:
            await newer.read("welcome")
            assert await acked_version(admin, "keeper") == 0
            await older.ack(seen)
            # Replicas of one subscriber all follow the feed.
            await older.frames_through(await record_sequence(client, "three"))
            first = (await newer.read("frame")).version
            await newer.ack(first)

            async def is_noted() -> bool:
                return bool(await acked_version(admin, "keeper") == first)

            await until(is_noted, "the ack of the newer one")

        async def is_released() -> bool:
            return bool(await admin.fetchval("SELECT stream IS NULL FROM feedback.subscribers"))

        await until(is_released, "the newer one to be gone")

        async def is_taken_over() -> bool:
            await older.ack(seen + 1)
            return bool((await acked_version(admin, "keeper") or 0) > first)

        await until(is_taken_over, "the ack of the older one")


async def test_a_claim_whose_stream_died_with_its_server_ends(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Otherwise frames were kept for ever, though another replica of the subscriber acks them."""
    _, target = processes.start("feedback", durable_subscribers='["keeper"]', tick_seconds="0.2")
    client = connect(target)
    await client.upsert(20)
    last = await record_sequence(client, "one")
    begin = feed_service_pb2.ResumePoint()
    async with FeedReader(client, resume=begin, subscriber="keeper", durable=True) as reader:
        await reader.read("welcome")
        await reader.frames_through(last)
        await admin.execute(
            "UPDATE feedback.subscribers SET stream = gen_random_uuid(),"
            " updated_at = now() - interval '1 hour'"
        )

        async def is_noted() -> bool:
            await reader.ack(2**62)
            return bool(await acked_version(admin, "keeper"))

        await until(is_noted, "the ack of the stream that lives")


async def test_a_storm_of_nacks_fills_no_log_and_holds_up_nobody(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    """Truth 13: one line stands for those of a second; others get their frames meanwhile."""
    process, target = processes.start("feedback")
    client = connect(target)
    await client.upsert(1)
    sequence = await record_sequence(client, "one")
    async with FeedReader(client) as reader:
        await reader.read("welcome")
        for _ in range(NACKS):
            await reader.nack(1, "no reason")
        start = feed_service_pb2.ResumePoint()
        async with FeedReader(client, subscriber="other", resume=start) as other:
            await other.read("welcome")
            await other.frames_through(sequence)
        await until(lambda: bool(refusals(process)), "a line")
        assert len(refusals(process)) < NACKS / 10


def refusals(process: ServiceProcess) -> list[dict[str, Any]]:
    """Return the lines of the log that say that a frame was refused."""
    lines = [line for line in process.log_file.read_text().splitlines() if "frame refused" in line]
    return [json.loads(line) for line in lines]
