"""CatalogService: items."""

from collections.abc import Sequence

import grpc

from harken.feedback.v1 import catalog_service_pb2 as pb
from harken.feedback.v1 import catalog_service_pb2_grpc
from services.common.answer_size import check_answer_size
from services.common.page_token import decode_page_token, encode_page_token
from services.common.position import token_of
from services.common.validation import Checks
from services.feedback.catalogue.catalog_store import CatalogStore
from services.feedback.catalogue.item_conversion import update_paths
from services.feedback.catalogue.item_recorder import ItemRecorder
from services.feedback.log.tenant_registry import TenantRegistry

_MAX_ITEMS = 1000
_DEFAULT_PAGE = 100


class CatalogServicer(catalog_service_pb2_grpc.CatalogServiceServicer):
    """Keeps the catalogue."""

    def __init__(
        self, tenants: TenantRegistry, store: CatalogStore, recorder: ItemRecorder
    ) -> None:
        self._tenants = tenants
        self._store = store
        self._recorder = recorder

    async def UpsertItems(  # noqa: N802
        self, request: pb.UpsertItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpsertItemsResponse:
        """See catalog_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        paths = update_paths(checks, request.update_mask)
        if checks.size("items", len(request.items), 1, _MAX_ITEMS):
            ids = {item.item_id for item in request.items}
            if len(ids) != len(request.items):
                checks.fail("items", "an item_id occurs twice")
        checks.done()
        results, position = await self._recorder.record(tenant, request.items, paths)
        return pb.UpsertItemsResponse(results=results, position=token_of(position))

    async def DeleteItems(  # noqa: N802
        self, request: pb.DeleteItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteItemsResponse:
        """See catalog_service.proto."""
        tenant = _check_ids(request.tenant, request.item_ids)
        await self._tenants.require(tenant)
        deleted, position = await self._store.delete(tenant, request.item_ids)
        missing = [item_id for item_id in request.item_ids if item_id not in deleted]
        return pb.DeleteItemsResponse(
            deleted=len(deleted), missing_item_ids=missing, position=token_of(position)
        )

    async def GetItems(  # noqa: N802
        self, request: pb.GetItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetItemsResponse:
        """See catalog_service.proto."""
        tenant = _check_ids(request.tenant, request.item_ids)
        await self._tenants.require(tenant)
        found = await self._store.get(tenant, request.item_ids)
        response = pb.GetItemsResponse(
            items=[found[item_id] for item_id in request.item_ids if item_id in found],
            missing_item_ids=[item_id for item_id in request.item_ids if item_id not in found],
        )
        check_answer_size("item_ids", response.ByteSize())
        return response

    async def ListItems(  # noqa: N802
        self, request: pb.ListItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListItemsResponse:
        """See catalog_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        size = checks.number("page_size", request.page_size, _DEFAULT_PAGE, _MAX_ITEMS)
        after_id = decode_page_token(checks, request.page_token)
        checks.done()
        await self._tenants.require(tenant)
        items, more = await self._store.page(tenant, after_id, size)
        token = encode_page_token(items[-1].item_id) if more else ""
        return pb.ListItemsResponse(items=items, next_page_token=token)


def _check_ids(tenant: str, item_ids: Sequence[str]) -> str:
    checks = Checks()
    tenant = checks.tenant(tenant)
    if checks.size("item_ids", len(item_ids), 1, _MAX_ITEMS):
        for index, item_id in enumerate(item_ids):
            checks.id(f"item_ids[{index}]", item_id)
    checks.done()
    return tenant
