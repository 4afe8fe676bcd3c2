"""Promotion and rollback of a real process: states, refusals, retention, restarts (truth 10)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import pytest

from harken.feedback.v1 import catalog_service_pb2, generation_pb2, item_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from harken.internal.feed.v1 import feed_service_pb2
from tests.end_to_end.trained_generation import files_of, manifest_of, upload_of
from tests.faults import fault_of, fields_of, reason_of
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, record_sequence
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until

State = generation_pb2.GenerationState
DIMENSION = 24
START = feed_service_pb2.ResumePoint()


def items(count: int = 20) -> list[item_pb2.Item]:
    """What Client.upsert makes."""
    return [
        item_pb2.Item(item_id=f"i{n}", categories=["even" if n % 2 == 0 else "odd"])
        for n in range(count)
    ]


async def publish(
    client: Client, name: str, dimension: int = DIMENSION, count: int = 20, tenant: str = ""
) -> dict[str, bytes]:
    files = files_of(items(count), dimension)
    manifest = manifest_of(name, dimension, files)
    manifest.tenant = tenant
    await client.generation.PublishGeneration(upload_of(manifest, files))
    return files


async def states(client: Client, tenant: str = "") -> dict[str, pb.GenerationSummary]:
    answer = await client.generation.ListGenerations(pb.ListGenerationsRequest(tenant=tenant))
    return {one.manifest.generation_id: one for one in answer.generations}


async def promote(client: Client, name: str, now: bool = True, tenant: str = "") -> Any:
    mode = pb.PROMOTION_MODE_NOW if now else pb.PROMOTION_MODE_IF_BETTER
    return await client.generation.PromoteGeneration(
        pb.PromoteGenerationRequest(tenant=tenant, generation_id=name, mode=mode)
    )


async def rollback(client: Client, tenant: str = "") -> Any:
    return await client.generation.RollbackGeneration(pb.RollbackGenerationRequest(tenant=tenant))


async def reached(client: Client, name: str, state: int, tenant: str = "") -> None:
    async def there() -> bool:
        return (await states(client, tenant))[name].state == state

    await until(there, f"{name} to be {State.Name(state)}")


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    error = await fault_of(call)
    return error.code(), reason_of(error)


async def test_what_cannot_be_promoted_is_refused_with_a_reason(client: Client) -> None:
    await client.upsert(20, tenant="refusals")
    for name in ("one", "two"):
        await publish(client, name, tenant="refusals")
    assert await refused(promote(client, "none", tenant="refusals")) == (
        grpc.StatusCode.NOT_FOUND, "NOT_FOUND"
    )  # fmt: skip
    assert await refused(promote(client, "one", tenant="nowhere")) == (
        grpc.StatusCode.NOT_FOUND, "UNKNOWN_TENANT"
    )  # fmt: skip
    failed = grpc.StatusCode.FAILED_PRECONDITION
    assert await refused(promote(client, "bootstrap-16", tenant="refusals")) == (
        failed, "ALREADY_ACTIVE"
    )  # fmt: skip
    assert await refused(rollback(client, "refusals")) == (failed, "NOTHING_TO_ROLL_BACK_TO")
    first = await promote(client, "one", now=False, tenant="refusals")
    assert first.position
    assert first.state == State.GENERATION_STATE_STAGED
    assert await refused(promote(client, "two", tenant="refusals")) == (failed, "ANOTHER_STAGED")
    # Again with the same mode changes nothing.
    again = await promote(client, "one", now=False, tenant="refusals")
    assert not again.position
    assert again.state == State.GENERATION_STATE_STAGED
    # A rollback withdraws what is staged.
    withdrawn = await rollback(client, "refusals")
    assert withdrawn.generation_id == "bootstrap-16"
    found = await states(client, "refusals")
    assert found["one"].state == State.GENERATION_STATE_RETIRED
    assert found["one"].retired_reason
    assert found["bootstrap-16"].state == State.GENERATION_STATE_ACTIVE


BAD_VECTORS = {
    "another dimension": generation_pb2.ItemVectorFile(item_ids=["a"], vectors=b"\0" * 92),
    "not finite": generation_pb2.ItemVectorFile(
        item_ids=["a"], vectors=np.full(DIMENSION, np.nan, "<f4").tobytes()
    ),
    "too long": generation_pb2.ItemVectorFile(
        item_ids=["a"], vectors=np.full(DIMENSION, 3.0, "<f4").tobytes()
    ),
    "twice": generation_pb2.ItemVectorFile(item_ids=["a", "a"], vectors=b"\0" * 192),
    "biases": generation_pb2.ItemVectorFile(
        item_ids=["a"], vectors=b"\0" * 96, biases=b"\0" * 8
    ),
    "a large bias": generation_pb2.ItemVectorFile(
        item_ids=["a"], vectors=b"\0" * 96, biases=np.array([9.0], "<f4").tobytes()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_VECTORS)
async def test_trained_vectors_are_checked_at_publication(client: Client, name: str) -> None:
    """Truth 7: what is wrong is refused, and nothing of it is stored."""
    files = {
        **files_of(items(), DIMENSION),
        "item_vectors.pb": BAD_VECTORS[name].SerializeToString(),
    }
    upload = upload_of(manifest_of("bad", DIMENSION, files), files)
    error = await fault_of(client.generation.PublishGeneration(upload))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == {"manifest.files[2]"}
    assert "bad" not in await states(client)


async def test_a_rollback_is_at_once_while_on_standby_and_by_building_later(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    _, target = processes.start("feedback", tick_seconds="0.1", standby_seconds="1")
    client = connect(target)
    await client.upsert(20)
    await publish(client, "second")
    await promote(client, "second")
    await reached(client, "second", State.GENERATION_STATE_ACTIVE)
    assert (await states(client))["bootstrap-16"].state == State.GENERATION_STATE_STANDBY
    back = await rollback(client)
    assert (back.generation_id, back.state) == ("bootstrap-16", State.GENERATION_STATE_ACTIVE)
    assert (await states(client))["second"].state == State.GENERATION_STATE_STANDBY
    # Log time goes on by ticks alone, until the standby's is over.
    await reached(client, "second", State.GENERATION_STATE_RETIRED)
    assert "standby" in (await states(client))["second"].retired_reason
    forth = await rollback(client)
    assert (forth.generation_id, forth.state) == ("second", State.GENERATION_STATE_STAGED)
    await reached(client, "second", State.GENERATION_STATE_ACTIVE)
    # What serves is downloaded by default.
    request = pb.DownloadGenerationRequest(file_names=["scorer.onnx"])
    messages = [message async for message in client.generation.DownloadGeneration(request)]
    assert messages[0].manifest.generation_id == "second"
    assert {message.chunk.name for message in messages[1:]} == {"scorer.onnx"}


async def test_a_learner_that_dies_while_it_builds_goes_on_where_it_was(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    """Truth 4. With some thousand items a generation takes many steps to be built."""
    count = 4000
    learner, _ = processes.start(
        "learner", role="learner", lease_seconds="0.3", checkpoint_versions="5",
        checkpoint_seconds="0.05",
    )  # fmt: skip
    _, target = processes.start("ingest", role="ingest")
    client = connect(target)
    for start in range(0, count, 500):
        await _upsert(client, start, 500)
    files = await publish(client, "second", count=count)
    async with FeedReader(client, resume=START) as reader:
        await reader.read("welcome")
        await promote(client, "second", now=False)
        frames = await _frames_until(reader, lambda changes: bool(changes.other_item_vectors))
        await asyncio.to_thread(learner.kill)
        await asyncio.to_thread(learner.start)
        vectors: dict[str, bytes] = {}
        _collect(frames, vectors)
        while len(vectors) < count:
            _collect([await reader.read("frame")], vectors)
        trained = generation_pb2.ItemVectorFile.FromString(files["item_vectors.pb"])
        width = 4 * DIMENSION
        wanted = {
            item_id: trained.vectors[row * width : (row + 1) * width]
            for row, item_id in enumerate(trained.item_ids)
        }
        assert vectors == wanted
        await promote(client, "second")
        flip = await _frames_until(reader, lambda changes: changes.HasField("activated"))
        assert flip[-1].tenants[0].activated.generation_id == "second"


async def test_old_generations_go_and_those_in_use_stay(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    _, target = processes.start("feedback", kept_generations="2")
    client = connect(target)
    await client.upsert(20)
    for name in ("one", "two", "three", "four"):
        await publish(client, name)
    assert set(await states(client)) == {"three", "four", "bootstrap-16"}
    await promote(client, "three", now=False)
    for name in ("five", "six"):
        await publish(client, name)
    assert set(await states(client)) == {"three", "five", "six", "bootstrap-16"}


async def test_events_go_on_while_a_generation_is_staged(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    """User vectors are of the serving generation, item vectors of both."""
    _, target = processes.start("feedback")
    client = connect(target)
    await client.upsert(20)
    await publish(client, "second")
    staged = await promote(client, "second", now=False)
    assert staged.position
    async with FeedReader(client, resume=START) as reader:
        await reader.read("welcome")
        names = [f"user-{n % 4}" for n in range(40)]
        last = await record_sequence(client, *(f"{name}/{n}" for n, name in enumerate(names)))
        last = max(last, await record_sequence(client, *[f"again-{n}" for n in range(4)]))
        frames = await reader.frames_through(last)
        while not any(changes.users.user_keys for changes in frames[-1].tenants):
            frames.append(await reader.read("frame"))
    seen = {
        part.generation_id
        for frame in frames
        for changes in frame.tenants
        for part in changes.other_item_vectors
    }
    assert seen == {"second"}
    users = {
        changes.users.generation_id
        for frame in frames
        for changes in frame.tenants
        if changes.users.user_keys
    }
    assert users == {"bootstrap-16"}


async def _upsert(client: Client, start: int, count: int) -> None:
    await client.catalog.UpsertItems(
        catalog_service_pb2.UpsertItemsRequest(items=items(start + count)[start:])
    )


async def _frames_until(reader: FeedReader, condition: Any) -> list[Any]:
    frames: list[Any] = []
    while not frames or not any(condition(changes) for changes in frames[-1].tenants):
        frames.append(await reader.read("frame"))
    return frames


def _collect(frames: Sequence[Any], vectors: dict[str, bytes]) -> None:
    for frame in frames:
        for changes in frame.tenants:
            for part in changes.other_item_vectors:
                width = len(part.vectors) // len(part.items)
                own = part.vectors
                for row, index in enumerate(part.items):
                    vectors[changes.item_ids[index]] = own[row * width : (row + 1) * width]
