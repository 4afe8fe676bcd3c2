"""Traps in generations: refused, or withdrawn by the learner; learning goes on (truths 4, 10)."""

import asyncio

import grpc
import pytest

from harken.feedback.v1 import catalog_service_pb2, generation_pb2, item_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from tests.end_to_end.trained_generation import manifest_of, upload_of
from tests.faults import fault_of
from tests.feedback.conftest import Client
from tests.feedback.generation_traps import (
    DIMENSION,
    POISON,
    TRAPS,
    Trap,
    publish_trap,
    sound_files,
    state_of,
)
from tests.waiting import until

State = generation_pb2.GenerationState
REFUSED = [trap for trap in TRAPS if trap.fields]
ACCEPTED = [trap for trap in TRAPS if not trap.fields]


def test_there_are_twenty_five_kinds() -> None:
    assert len({trap.name for trap in TRAPS}) == 25


@pytest.mark.parametrize("trap", REFUSED, ids=lambda trap: trap.name)
async def test_a_trap_is_refused_with_its_field(client: Client, trap: Trap) -> None:
    await client.upsert(20)
    assert await publish_trap(client.generation, trap, "trap") == ""


async def _reached(client: Client, name: str, state: int) -> None:
    async def there() -> bool:
        return (await state_of(client.generation, name))[0] == state

    await until(there, f"{name} to be {State.Name(state)}")


async def _poison(client: Client) -> None:
    item = item_pb2.Item(item_id=POISON, title="Poison", categories=["odd"])
    await client.catalog.UpsertItems(catalog_service_pb2.UpsertItemsRequest(items=[item]))
    gone = catalog_service_pb2.DeleteItemsRequest(item_ids=[POISON])
    await client.catalog.DeleteItems(gone)


@pytest.mark.parametrize("number", range(len(ACCEPTED)), ids=[trap.name for trap in ACCEPTED])
async def test_one_that_fails_while_it_serves_is_withdrawn(client: Client, number: int) -> None:
    await client.upsert(20)
    name = f"late-{number}"
    assert await publish_trap(client.generation, ACCEPTED[number], name) == ""
    before = (await client.generation.ListGenerations(pb.ListGenerationsRequest())).generations
    served = next(
        one.manifest.generation_id for one in before if one.state == State.GENERATION_STATE_ACTIVE
    )
    mode = pb.PROMOTION_MODE_NOW
    await client.generation.PromoteGeneration(
        pb.PromoteGenerationRequest(generation_id=name, mode=mode)
    )
    await _reached(client, name, State.GENERATION_STATE_ACTIVE)
    await _poison(client)
    await _reached(client, name, State.GENERATION_STATE_RETIRED)
    assert "item tower" in (await state_of(client.generation, name))[1]
    await _reached(client, served, State.GENERATION_STATE_ACTIVE)
    # Learning goes on: a sound one is built and serves.
    sound = f"sound-{number}"
    files = sound_files()
    await client.generation.PublishGeneration(
        upload_of(manifest_of(sound, DIMENSION, files), files)
    )
    await client.generation.PromoteGeneration(
        pb.PromoteGenerationRequest(generation_id=sound, mode=mode)
    )
    await _reached(client, sound, State.GENERATION_STATE_ACTIVE)


async def test_two_that_fail_at_once_do_not_take_turns(client: Client) -> None:
    """The one that serves and the one on standby: what served before both of them takes over."""
    await client.upsert(20)
    now = pb.PROMOTION_MODE_NOW
    before = (await client.generation.ListGenerations(pb.ListGenerationsRequest())).generations
    served = next(
        one.manifest.generation_id for one in before if one.state == State.GENERATION_STATE_ACTIVE
    )
    for number, trap in enumerate(ACCEPTED):
        name = f"both-{number}"
        assert await publish_trap(client.generation, trap, name) == ""
        await client.generation.PromoteGeneration(
            pb.PromoteGenerationRequest(generation_id=name, mode=now)
        )
        await _reached(client, name, State.GENERATION_STATE_ACTIVE)
    await _poison(client)
    await _reached(client, served, State.GENERATION_STATE_ACTIVE)
    for number in range(len(ACCEPTED)):
        await _reached(client, f"both-{number}", State.GENERATION_STATE_RETIRED)


async def test_idle_uploads_hold_nobody_up(client: Client) -> None:
    """Two streams that send nothing: a third one publishes, and one of them ends."""
    idle = [client.generation.PublishGeneration() for _ in range(2)]
    described = manifest_of("held", DIMENSION, sound_files())
    for call in idle:
        await call.write(pb.PublishGenerationRequest(manifest=described))
    files = sound_files()

    async def published() -> bool:
        try:
            manifest = manifest_of("passes", DIMENSION, files)
            await client.generation.PublishGeneration(upload_of(manifest, files))
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            return False
        return True

    await until(published, "a generation to be published")
    ended = {asyncio.create_task(fault_of(call)) for call in idle}
    done, waiting = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED, timeout=15)
    for task in waiting:
        task.cancel()
    for call in idle:
        call.cancel()
    assert {task.result().code() for task in done} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
