"""Looking at and changing items of the catalogue that are named one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.field_mask_pb2 import FieldMask

from harken.feedback.v1 import catalog_service_pb2 as pb
from harken.feedback.v1 import item_pb2
from services.cli.clients import CALL_SECONDS, Clients

# Of the largest items, so that an answer stays below 4 MiB.
_READ = 100
_WRITE = 1_000


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of items: by id, whether anything changed; and the position of the last change,
    empty when there was none.
    """

    changed: dict[str, bool]
    position: bytes


async def found_items(
    clients: Clients, tenant: str, item_ids: Sequence[str]
) -> tuple[list[item_pb2.Item], list[str]]:
    """Return the items that exist, and the ids of the others, both in the order asked for.

    Raises:
        grpc.aio.AioRpcError: the service refuses or is away.

    """
    items: list[item_pb2.Item] = []
    missing: list[str] = []
    for batch in _batches(list(dict.fromkeys(item_ids)), _READ):
        request = pb.GetItemsRequest(tenant=tenant, item_ids=batch)
        answer = await clients.catalog.GetItems(request, timeout=CALL_SECONDS)
        items += answer.items
        missing += answer.missing_item_ids
    return items, missing


async def set_available(
    clients: Clients, tenant: str, item_ids: Sequence[str], available: bool
) -> Changed:
    """Show or hide items that exist; all else of them stays. Those that are gone meanwhile are not
    in the answer.

    Raises:
        as found_items.

    """
    changed: dict[str, bool] = {}
    position = b""
    for batch in _batches(item_ids, _WRITE):
        request = pb.UpsertItemsRequest(
            tenant=tenant,
            items=[item_pb2.Item(item_id=item_id, available=available) for item_id in batch],
            update_mask=FieldMask(paths=["available"]),
        )
        answer = await clients.catalog.UpsertItems(request, timeout=CALL_SECONDS)
        position = answer.position or position
        outcomes = {batch[result.ordinal]: result.outcome for result in answer.results}
        # Deleted since they were looked up, so that the call made them anew, with nothing.
        ghosts = [one for one in batch if outcomes[one] == pb.ITEM_OUTCOME_CREATED]
        if ghosts:
            await delete_items(clients, tenant, ghosts)
        changed |= {
            item_id: outcome == pb.ITEM_OUTCOME_UPDATED
            for item_id, outcome in outcomes.items()
            if outcome != pb.ITEM_OUTCOME_CREATED
        }
    return Changed(changed, position)


async def delete_items(clients: Clients, tenant: str, item_ids: Sequence[str]) -> Changed:
    """Delete items; those that were gone already are not in the answer.

    Raises:
        as found_items.

    """
    changed: dict[str, bool] = {}
    position = b""
    for batch in _batches(item_ids, _WRITE):
        request = pb.DeleteItemsRequest(tenant=tenant, item_ids=batch)
        answer = await clients.catalog.DeleteItems(request, timeout=CALL_SECONDS)
        position = answer.position or position
        gone = set(answer.missing_item_ids)
        changed |= {item_id: True for item_id in batch if item_id not in gone}
    return Changed(changed, position)


def _batches(item_ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for begin in range(0, len(item_ids), size):
        yield item_ids[begin : begin + size]
