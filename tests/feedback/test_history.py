"""History for a durable subscriber: from the log, when frames cannot do it, and only then."""

import itertools

import asyncpg
import grpc
import pytest

from harken.feedback.v1 import feedback_service_pb2
from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import history_pb2
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, record
from tests.feedback.feed_reader import FeedReader, events_in
from tests.waiting import until

NAMES = [f"n{number}" for number in range(30)]


def point(epoch: int = 0, version: int = 0, sequence: int = 0) -> pb.ResumePoint:
    return pb.ResumePoint(epoch=epoch, version=version, through_sequence=sequence)


def reader(client: Client, resume: pb.ResumePoint) -> FeedReader:
    return FeedReader(client, subscriber="profile", durable=True, history=True, resume=resume)


async def parts_of(feed: FeedReader) -> list[history_pb2.History]:
    parts = [await feed.read("history")]
    while not parts[-1].last:
        parts.append(await feed.read("history"))
    for before, after in itertools.pairwise(parts):
        assert after.after_sequence == before.content.through_sequence
    return parts


async def learn(client: Client, admin: asyncpg.Connection) -> None:
    """Record an event per name, a step each, and wait until it is learned."""
    for name in NAMES:
        sequence = (await record(client, name)).sequence

        async def learned(sequence: int = sequence) -> bool:
            return bool(await admin.fetchval(
                "SELECT sequence >= $1 FROM feedback.learners", sequence
            ))  # fmt: skip

        await until(learned, "the event to be learned")


async def test_history_and_then_frames_hold_every_event_once(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Truth 1; the oracle are the events that were accepted."""
    _, target = processes.start(
        "feedback", checkpoint_versions="1", checkpoint_seconds="0.1", keep_versions="1"
    )
    client = connect(target)
    await client.upsert(20)
    async with reader(client, point()) as feed:
        assert not (await feed.read("welcome")).history, "nothing was forgotten yet"
        await learn(client, admin)
        frames = await feed.frames_through(20 + len(NAMES))
        half = frames[len(frames) // 2]
        await feed.ack(frames[-1].version)
        await until(
            lambda: admin.fetchval(
                "SELECT acked_version >= $1 FROM feedback.subscribers", frames[-1].version
            ),
            "the ack to be noted",
        )
    gone = NAMES[:2]
    request = feedback_service_pb2.RetractEventsRequest(event_ids=gone)
    await client.feedback.RetractEvents(request)
    for name in ("more", "and more"):
        await record(client, name)
    await until(
        lambda: admin.fetchval("SELECT min(version) > $1 FROM feedback.frames", half.version),
        "frames to be forgotten",
    )
    # From nothing.
    async with reader(client, point()) as feed:
        assert (await feed.read("welcome")).history
        parts = await parts_of(feed)
        assert parts[0].after_sequence == 0
        head = parts[-1].content
        told = [user for _, user, _ in events_in([part.content for part in parts])]
        assert told[: len(NAMES)] == [f"u:{name}" for name in NAMES]
        sequence = (await record(client, "live")).sequence
        live = await feed.frames_through(sequence)
        assert live[0].after_version == head.version
        told += [user for _, user, _ in events_in(live)]
        assert told == [f"u:{name}" for name in (*NAMES, "more", "and more", "live")]
        taken = [
            sequence for part in parts for changes in part.content.tenants
            for sequence in changes.users.retracted_sequences
        ]  # fmt: skip
        assert taken == [20 + 2, 20 + 3], "after the items and the activation"
    # From an earlier point: what follows it. From one within a history: its rest.
    for where in (
        point(half.epoch, half.version, half.through_sequence),
        point(half.epoch, 0, half.through_sequence),
    ):
        async with reader(client, where) as feed:
            assert (await feed.read("welcome")).history
            parts = await parts_of(feed)
            assert parts[0].after_sequence == half.through_sequence
            sequences = [s for s, _, _ in events_in([part.content for part in parts])]
            assert min(sequences) == half.through_sequence + 1
    # From points that never were: all of it. Nothing is acked by that, beyond what was sent.
    for where in (point(1, 2**40, 2**40), point(7, 3, 5), point(0, 5, 12)):
        async with reader(client, where) as feed:
            assert (await feed.read("welcome")).history
            assert (await parts_of(feed))[0].after_sequence == 0
    # From the end: frames only.
    last = live[-1]
    async with reader(client, point(last.epoch, last.version, last.through_sequence)) as feed:
        assert not (await feed.read("welcome")).history


async def test_history_is_for_durable_subscribers_that_resume(client: Client) -> None:
    for start in (
        pb.SubscribeStart(subscriber="other", history=True, resume=point()),
        pb.SubscribeStart(
            subscriber="profile",
            durable=True,
            history=True,
            snapshot=pb.FromSnapshot(),
        ),
    ):
        call = client.feed.Subscribe()
        await call.write(pb.SubscribeRequest(start=start))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
