"""A restore or promotion begins a new epoch, whoever notices (truth 5)."""

import asyncpg
import grpc

from harken.internal.feed.v1 import feed_service_pb2
from services.common.position import Position
from tests.faults import fault_of, reason_of
from tests.feedback.conftest import Connect, FeedbackProcesses, record
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until


async def break_connections(admin: asyncpg.Connection) -> None:
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'harken_feedback' AND datname = current_database()"
    )


async def become_another_server(admin: asyncpg.Connection) -> None:
    """Leave what a restored copy would show: another identity, and broken connections."""
    await admin.execute("UPDATE feedback.shards SET system_identifier = 1")
    await break_connections(admin)


async def test_a_new_epoch_begins_under_a_running_process_and_says_where_the_old_one_ended(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    _, target = processes.start("feedback", lease_seconds="0.3", tick_seconds="60")
    client = connect(target)
    await client.upsert(1)
    before = await record(client, "before")
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        old = (await reader.frames_through(before.sequence))[-1]
    await become_another_server(admin)
    numbers = iter(range(10_000))
    positions: list[Position] = []

    async def in_a_new_epoch() -> bool:
        try:
            positions.append(await record(client, f"after-{next(numbers)}"))
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return False
        return positions[-1].epoch > before.epoch

    await until(in_a_new_epoch, "a new epoch")
    fork = await admin.fetchval(
        "SELECT last_sequence FROM feedback.forks WHERE epoch = $1", before.epoch
    )
    point = feed_service_pb2.ResumePoint(epoch=old.epoch, version=old.version)

    async def feed_follows() -> bool:
        last = await record(client, f"follow-{next(numbers)}")
        try:
            async with FeedReader(client, resume=point) as reader:
                welcome = await reader.read("welcome")
                frames = await reader.frames_through(last.sequence)
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return False
        ended = {one.epoch: one.last_sequence for one in welcome.forks}
        return frames[-1].epoch == last.epoch and ended == {before.epoch: fork}

    await until(feed_follows, "frames of the new epoch")
    # The same version under the new epoch's name never was.
    wrong = feed_service_pb2.ResumePoint(epoch=positions[-1].epoch, version=old.version)
    async with FeedReader(client, resume=wrong) as reader:
        error = await fault_of(reader.read("welcome"))
    assert reason_of(error) == "EPOCH_LOST"


async def test_an_epoch_number_never_comes_again(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """A backup that is older than the last epoch knows nothing of it."""
    process, target = processes.start("feedback")
    client = connect(target)
    await client.upsert(1)
    epochs = []
    for name in ("first", "second"):
        process.kill()
        await admin.execute("UPDATE feedback.shards SET epoch = 1, system_identifier = 1")
        await admin.execute("DELETE FROM feedback.forks")
        process.start()

        async def recorded(name: str = name) -> bool:
            try:
                epochs.append((await record(client, name)).epoch)
            except grpc.aio.AioRpcError:
                return False
            return True

        await until(recorded, "the process to be back")
    assert epochs[0] > 1
    assert epochs[1] >= epochs[0]


async def test_a_store_that_turns_read_only_is_away_and_comes_back(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Truth 14: what a demoted primary answers ends no process."""
    process, target = processes.start("feedback", lease_seconds="0.3", tick_seconds="0.2")
    client = connect(target)
    await client.upsert(1)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await break_connections(admin)

    async def refuses() -> bool:
        try:
            await record(client, "refused")
        except grpc.aio.AioRpcError as error:
            return error.code() == grpc.StatusCode.UNAVAILABLE and "read-only" in str(
                error.details()
            )
        return False

    await until(refuses, "the store to be read-only")
    await admin.execute("SET default_transaction_read_only = off")
    await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await break_connections(admin)

    async def accepts() -> bool:
        try:
            await record(client, "accepted")
        except grpc.aio.AioRpcError:
            return False
        return True

    await until(accepts, "the store to be back")
    assert process.running


async def test_a_learner_commits_nothing_into_an_epoch_that_is_over(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Another process noticed first; the learner's own connections never broke."""
    _, target = processes.start("feedback", lease_seconds="0.3", tick_seconds="60")
    client = connect(target)
    await client.upsert(1)
    before = await record(client, "before")
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        old = (await reader.frames_through(before.sequence))[-1]
    async with admin.transaction():
        await admin.execute(
            "INSERT INTO feedback.forks SELECT shard, epoch, head FROM feedback.shards"
        )
        await admin.execute("UPDATE feedback.shards SET epoch = epoch + 1")
    after = await record(client, "after")
    assert after.epoch == before.epoch + 1

    async def committed() -> bool:
        reached = await admin.fetchval("SELECT max(through_sequence) FROM feedback.frames")
        return bool(reached >= after.sequence)

    await until(committed, "a frame with the event")
    epochs = await admin.fetch(
        "SELECT DISTINCT epoch FROM feedback.frames WHERE version > $1", old.version
    )
    assert [row["epoch"] for row in epochs] == [after.epoch]
