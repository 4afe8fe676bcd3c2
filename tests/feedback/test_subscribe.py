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
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until

NACKS = 200


async def test_every_version_is_accounted_for_in_order(client: Client) -> None:
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        welcome = await reader.read("welcome")
        assert welcome.epoch == 1
        last = 0
        for batch in range(5):
            last = await record_sequence(client, *(f"order-{batch}-{n}" for n in range(7)))
        frames = await reader.frames_through(last)
    assert [frame.after_version for frame in frames] == [0, *(f.version for f in frames[:-1])]
    through = [frame.through_sequence for frame in frames]
    assert through == sorted(set(through))


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


async def test_the_newest_is_what_comes_after_the_head(client: Client) -> None:
    await record_sequence(client, "before")
    async with FeedReader(client, newest=feed_service_pb2.FromNewest()) as reader:
        welcome = await reader.read("welcome")
        frames = await reader.frames_through(await record_sequence(client, "after"))
    assert frames[0].after_version >= welcome.head_version > 0


async def test_only_wanted_sections_come(client: Client) -> None:
    wanted = [frame_pb2.SECTION_POPULARITY]
    start = feed_service_pb2.ResumePoint()
    async with FeedReader(client, resume=start, sections=wanted) as reader:
        await reader.read("welcome")
        frames = await reader.frames_through(await record_sequence(client, "sections"))
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
