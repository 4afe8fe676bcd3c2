"""CatalogService: items."""

import base64
import binascii

import grpc

from harken.feedback.v1 import catalog_service_pb2 as pb
from harken.feedback.v1 import catalog_service_pb2_grpc
from services.common.position import Position
from services.common.validation import Checks
from services.feedback.item_conversion import item_fault, update_paths
from services.feedback.store.catalog_store import CatalogStore, Upserted
from services.feedback.store.tenant_registry import TenantRegistry

_MAX_ITEMS = 1000
_DEFAULT_PAGE = 100


class CatalogServicer(catalog_service_pb2_grpc.CatalogServiceServicer):
    """Keeps the catalogue."""

    def __init__(self, tenants: TenantRegistry, store: CatalogStore) -> None:
        self._tenants = tenants
        self._store = store

    async def UpsertItems(  # noqa: N802
        self, request: pb.UpsertItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpsertItemsResponse:
        """See catalog_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("items", len(request.items), 1, _MAX_ITEMS)
        paths = update_paths(checks, request.update_mask)
        ids = [item.item_id for item in request.items]
        if len(set(ids)) != len(ids):
            checks.fail("items", "an item_id occurs twice")
        checks.done()
        faults = [item_fault(item) for item in request.items]
        sound = [item for item, fault in zip(request.items, faults, strict=True) if fault is None]
        outcomes: list[Upserted] = []
        position: Position | None = None
        if sound:
            await self._tenants.ensure(tenant)
            outcomes, position = await self._store.upsert(tenant, sound, paths)
        fine = iter(outcomes)
        results = [
            _rejected(ordinal, *fault) if fault else _upserted(ordinal, next(fine))
            for ordinal, fault in enumerate(faults)
        ]
        return pb.UpsertItemsResponse(results=results, position=_token(position))

    async def DeleteItems(  # noqa: N802
        self, request: pb.DeleteItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteItemsResponse:
        """See catalog_service.proto."""
        tenant = _check_ids(request.tenant, list(request.item_ids))
        await self._tenants.require(tenant)
        deleted, position = await self._store.delete(tenant, request.item_ids)
        missing = [item_id for item_id in request.item_ids if item_id not in deleted]
        return pb.DeleteItemsResponse(
            deleted=len(deleted), missing_item_ids=missing, position=_token(position)
        )

    async def GetItems(  # noqa: N802
        self, request: pb.GetItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetItemsResponse:
        """See catalog_service.proto."""
        tenant = _check_ids(request.tenant, list(request.item_ids))
        await self._tenants.require(tenant)
        found = await self._store.get(tenant, request.item_ids)
        return pb.GetItemsResponse(
            items=[found[item_id] for item_id in request.item_ids if item_id in found],
            missing_item_ids=[item_id for item_id in request.item_ids if item_id not in found],
        )

    async def ListItems(  # noqa: N802
        self, request: pb.ListItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListItemsResponse:
        """See catalog_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        size = checks.number("page_size", request.page_size, _DEFAULT_PAGE, _MAX_ITEMS)
        after_id = ""
        try:
            after_id = base64.b64decode(request.page_token, b"-_", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            checks.fail("page_token", "is not a token of a previous page")
        checks.done()
        await self._tenants.require(tenant)
        items = await self._store.page(tenant, after_id, size + 1)
        token = ""
        if len(items) > size:
            items = items[:size]
            token = base64.urlsafe_b64encode(items[-1].item_id.encode()).decode()
        return pb.ListItemsResponse(items=items, next_page_token=token)


def _check_ids(tenant: str, item_ids: list[str]) -> str:
    checks = Checks()
    tenant = checks.tenant(tenant)
    checks.size("item_ids", len(item_ids), 1, _MAX_ITEMS)
    for index, item_id in enumerate(item_ids):
        checks.id(f"item_ids[{index}]", item_id)
    checks.done()
    return tenant


def _rejected(ordinal: int, field: str, detail: str) -> pb.ItemResult:
    return pb.ItemResult(
        ordinal=ordinal, outcome=pb.ITEM_OUTCOME_REJECTED, field=field, detail=detail
    )


def _upserted(ordinal: int, outcome: Upserted) -> pb.ItemResult:
    if outcome.created:
        name = pb.ITEM_OUTCOME_CREATED
    else:
        name = pb.ITEM_OUTCOME_UPDATED if outcome.changed else pb.ITEM_OUTCOME_UNCHANGED
    return pb.ItemResult(ordinal=ordinal, outcome=name)


def _token(position: Position | None) -> bytes:
    return position.encode() if position is not None else b""
