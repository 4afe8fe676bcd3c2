"""The row of traps in generations, measured on a running suite."""

from typing import Any

import grpc

from harken.feedback.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    generation_pb2,
    generation_service_pb2_grpc,
    item_pb2,
)
from harken.feedback.v1 import generation_service_pb2 as pb
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from tests.benchmarks.numbers.table import Number
from tests.feedback.generation_traps import POISON, TRAPS, publish_trap, state_of
from tests.waiting import until

_WHAT = (
    "traps in generations (25 kinds): refused, or withdrawn by itself; learning and slates go on"
)


async def trap_number(feedback: str, ranker: str) -> Number:
    """Spring every trap on a fresh suite, given the targets of both services."""
    surprises: dict[str, str] = {}
    async with grpc.aio.insecure_channel(feedback) as to, grpc.aio.insecure_channel(ranker) as by:
        generation: Any = generation_service_pb2_grpc.GenerationServiceStub(to)
        catalogue: Any = catalog_service_pb2_grpc.CatalogServiceStub(to)
        slates: Any = ranker_service_pb2_grpc.RankerServiceStub(by)
        items = [item_pb2.Item(item_id=f"i{n}", categories=["odd"]) for n in range(20)]
        await catalogue.UpsertItems(catalog_service_pb2.UpsertItemsRequest(items=items))
        for number, trap in enumerate(TRAPS):
            said = await publish_trap(generation, trap, f"trap-{number}")
            if not said and not trap.fields:
                said = await _withdrawn(generation, catalogue, f"trap-{number}")
            request = ranker_service_pb2.RecommendRequest(count=5)
            request.subject.user_id = "u"
            answer = await slates.Recommend(request, timeout=10, wait_for_ready=True)
            if not answer.slots:
                said = said or "an empty slate"
            if said:
                surprises[trap.name] = said
    met = len(TRAPS) - len(surprises)
    return Number(_WHAT, "25 of 25", f"{met} of {len(TRAPS)}", met == 25, {"surprises": surprises})


async def _withdrawn(
    generation: Any,
    catalogue: Any,
    name: str,
) -> str:
    """Let a trap serve, spring it, and wait until it is withdrawn; return what is surprising."""
    await generation.PromoteGeneration(
        pb.PromoteGenerationRequest(generation_id=name, mode=pb.PROMOTION_MODE_NOW)
    )
    try:
        await _reached(generation, name, generation_pb2.GENERATION_STATE_ACTIVE)
        item = item_pb2.Item(item_id=POISON, title="Poison", categories=["odd"])
        await catalogue.UpsertItems(catalog_service_pb2.UpsertItemsRequest(items=[item]))
        # Gone again, so that the next trap is not tried on it.
        await catalogue.DeleteItems(catalog_service_pb2.DeleteItemsRequest(item_ids=[POISON]))
        await _reached(generation, name, generation_pb2.GENERATION_STATE_RETIRED)
    except (AssertionError, TimeoutError) as error:
        return str(error)
    return ""


async def _reached(generation: Any, name: str, state: int) -> None:
    async def there() -> bool:
        return (await state_of(generation, name))[0] == state

    await until(there, f"{name} to be in state {state}")
