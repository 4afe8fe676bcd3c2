"""Items that events name and the catalogue does not know."""

from __future__ import annotations

from collections.abc import Iterable

import grpc

from harken.feedback.v1 import catalog_service_pb2, catalog_service_pb2_grpc, item_pb2
from services.cli.clients import CALL_SECONDS, patiently

_BATCH = 100
"""So many items always fit into an answer."""


class MissingItems:
    """Creates them, with nothing but their id. Items that exist are left as they are."""

    def __init__(self, stub: catalog_service_pb2_grpc.CatalogServiceAsyncStub, tenant: str) -> None:
        self._stub = stub
        self._tenant = tenant
        self._known: set[str] = set()
        self.created = 0

    async def create(self, item_ids: Iterable[str]) -> None:
        """Create those of the items that do not exist; each is asked about once.

        Raises:
            grpc.aio.AioRpcError: the service refuses.

        """
        new = [item_id for item_id in dict.fromkeys(item_ids) if item_id not in self._known]
        for begin in range(0, len(new), _BATCH):
            batch = new[begin : begin + _BATCH]
            missing = await self._missing(batch)
            if missing:
                answer = await self._upsert(missing)
                created = catalog_service_pb2.ITEM_OUTCOME_CREATED
                self.created += sum(result.outcome == created for result in answer.results)
            self._known.update(batch)

    async def _upsert(self, item_ids: list[str]) -> catalog_service_pb2.UpsertItemsResponse:
        request = catalog_service_pb2.UpsertItemsRequest(
            tenant=self._tenant, items=[item_pb2.Item(item_id=item_id) for item_id in item_ids]
        )
        return await patiently(lambda: self._stub.UpsertItems(request, timeout=CALL_SECONDS))

    async def _missing(self, item_ids: list[str]) -> list[str]:
        try:
            found = await self._stub.GetItems(
                catalog_service_pb2.GetItemsRequest(tenant=self._tenant, item_ids=item_ids),
                timeout=CALL_SECONDS,
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            # The tenant itself does not exist: nothing of it does.
            return item_ids
        return list(found.missing_item_ids)
