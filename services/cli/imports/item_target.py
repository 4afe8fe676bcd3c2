"""Items go into the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from harken.feedback.v1 import catalog_service_pb2, catalog_service_pb2_grpc, item_pb2
from services.cli.clients import CALL_SECONDS, patiently
from services.cli.imports.item_rows import item_of
from services.cli.imports.row_import import RowTarget
from services.dataset.item_columns import ItemColumns
from services.dataset.row_fault import RowFault

_BATCH = 500


def item_target(
    stub: catalog_service_pb2_grpc.CatalogServiceAsyncStub, tenant: str, columns: ItemColumns
) -> RowTarget[item_pb2.Item]:
    """Return what upserts the items of rows; outcomes are created, updated and unchanged."""

    async def send(items: Sequence[item_pb2.Item]) -> Sequence[str | RowFault]:
        request = catalog_service_pb2.UpsertItemsRequest(tenant=tenant, items=items)
        answer = await patiently(lambda: stub.UpsertItems(request, timeout=CALL_SECONDS))
        return [_outcome(result) for result in answer.results]

    async def known(item: item_pb2.Item) -> bool:
        request = catalog_service_pb2.GetItemsRequest(tenant=tenant, item_ids=[item.item_id])
        try:
            answer = await stub.GetItems(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return False
        return bool(answer.items)

    return RowTarget(
        lambda row: item_of(row, columns), lambda item: item.item_id, send, known, _BATCH
    )


def _outcome(result: catalog_service_pb2.ItemResult) -> str | RowFault:
    if result.outcome == catalog_service_pb2.ITEM_OUTCOME_REJECTED:
        return RowFault("REJECTED", f"{result.field}: {result.detail}")
    name = catalog_service_pb2.ItemOutcome.Name(result.outcome)
    return name.removeprefix("ITEM_OUTCOME_").lower()
