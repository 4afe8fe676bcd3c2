"""A file as the whole catalogue: what is not in it is hidden or deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.field_mask_pb2 import FieldMask

from harken.feedback.v1 import catalog_service_pb2, catalog_service_pb2_grpc, item_pb2
from services.cli.clients import CALL_SECONDS

_PAGE_ITEMS = 1000
_BATCH = 500
SAFE_SHARE = 0.1
"""Share of the catalogue that may go without being asked for."""


class Gone(StrEnum):
    """What becomes of items that are not in the file."""

    HIDE = "hide"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Difference:
    """Items of the catalogue that are not in a file, `gone`; those of the file that are hidden."""

    gone: Sequence[tuple[str, str]]
    hidden: Sequence[str]
    total: int

    @property
    def share(self) -> float:
        """Return which share of the catalogue would go."""
        return len(self.gone) / max(1, self.total)


async def difference(
    stub: catalog_service_pb2_grpc.CatalogServiceAsyncStub,
    tenant: str,
    named: set[str],
    gone: Gone,
) -> Difference:
    """Compare the catalogue with the ids that a file names; items that are hidden already are not
    gone again. Ids stand with their titles.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    missing: list[tuple[str, str]] = []
    hidden: list[str] = []
    total = 0
    token = ""
    while True:
        page = await stub.ListItems(
            catalog_service_pb2.ListItemsRequest(
                tenant=tenant, page_size=_PAGE_ITEMS, page_token=token
            ),
            timeout=CALL_SECONDS,
        )
        for item in page.items:
            shown = item.available or not item.HasField("available")
            total += shown or gone is Gone.DELETE
            if item.item_id in named:
                if not shown:
                    hidden.append(item.item_id)
            elif shown or gone is Gone.DELETE:
                missing.append((item.item_id, item.title))
        token = page.next_page_token
        if not token:
            return Difference(missing, hidden, total)


async def remove(
    stub: catalog_service_pb2_grpc.CatalogServiceAsyncStub,
    tenant: str,
    item_ids: Sequence[str],
    gone: Gone,
) -> bytes:
    """Hide or delete items; return the position by which it is visible.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    position = b""
    for begin in range(0, len(item_ids), _BATCH):
        batch = item_ids[begin : begin + _BATCH]
        if gone is Gone.DELETE:
            deleted = await stub.DeleteItems(
                catalog_service_pb2.DeleteItemsRequest(tenant=tenant, item_ids=batch),
                timeout=CALL_SECONDS,
            )
            position = deleted.position or position
        else:
            changed = await stub.UpsertItems(
                catalog_service_pb2.UpsertItemsRequest(
                    tenant=tenant,
                    items=[item_pb2.Item(item_id=item_id, available=False) for item_id in batch],
                    update_mask=FieldMask(paths=["available"]),
                ),
                timeout=CALL_SECONDS,
            )
            position = changed.position or position
    return position
