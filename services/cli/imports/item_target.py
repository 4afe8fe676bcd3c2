"""Items go into the catalogue: of each only what its row says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from harken.feedback.v1 import catalog_service_pb2, catalog_service_pb2_grpc, item_pb2
from services.cli.clients import CALL_SECONDS, patiently
from services.cli.imports.row_import import RowTarget
from services.common.retry_info import pause_seconds
from services.common.status import violations_of
from services.dataset.faults import RowFault, shown
from services.dataset.fields.item_fields import ItemFields, ItemRow

_BATCH = 500


def item_target(
    stub: catalog_service_pb2_grpc.CatalogServiceAsyncStub, tenant: str, fields: ItemFields
) -> RowTarget[ItemRow]:
    """Return what upserts the items of rows."""

    async def send(rows: Sequence[ItemRow]) -> Sequence[str | RowFault]:
        # In JSON lines each row may have other fields, and a request has one mask.
        alike: dict[tuple[str, ...], list[ItemRow]] = {}
        for row in rows:
            alike.setdefault(row.given, []).append(row)
        found: dict[str, str | RowFault] = {}
        for given, some in alike.items():
            found |= await upsert(some, given)
        return [found[row.content.item_id] for row in rows]

    async def upsert(
        rows: Sequence[ItemRow], given: tuple[str, ...]
    ) -> Mapping[str, str | RowFault]:
        unknown = rows
        if not given:
            # Nothing but ids: an empty mask would write all fields.
            missing = await _missing(stub, tenant, [row.content.item_id for row in rows])
            unknown = [row for row in rows if row.content.item_id in missing]
        outcomes = dict.fromkeys((row.content.item_id for row in rows), "unchanged")
        found: dict[str, str | RowFault] = dict(outcomes)
        if unknown:
            found |= await written(unknown, given)
        return found

    async def written(
        rows: Sequence[ItemRow], given: tuple[str, ...]
    ) -> Mapping[str, str | RowFault]:
        """Write items; of a request that is refused as a whole, those that cannot be sent stay."""
        request = catalog_service_pb2.UpsertItemsRequest(
            tenant=tenant,
            items=[item_of(row) for row in rows],
            update_mask=FieldMask(paths=given),
        )
        try:
            answer = await patiently(lambda: stub.UpsertItems(request, timeout=CALL_SECONDS))
        except grpc.aio.AioRpcError as error:
            if not _is_about_items(error):
                raise
            if len(rows) == 1:
                return {rows[0].content.item_id: RowFault("REJECTED", error.details() or "")}
            half = len(rows) // 2
            first = await written(rows[:half], given)
            return {**first, **await written(rows[half:], given)}
        return {
            row.content.item_id: _outcome(row, result, fields)
            for row, result in zip(rows, answer.results, strict=True)
        }

    async def known(row: ItemRow) -> bool:
        return not await _missing(stub, tenant, [row.content.item_id])

    return RowTarget(lambda row: row.content.item_id, send, known, _BATCH)


def item_of(row: ItemRow) -> item_pb2.Item:
    """Return the item that a row says."""
    content = row.content
    item = item_pb2.Item(
        item_id=content.item_id,
        title=content.title,
        description=content.description,
        categories=content.categories,
        tags=content.tags,
        numbers=content.numbers,
        owner=row.owner,
    )
    if row.available is not None:
        item.available = row.available
    if row.publish_time_ns is not None:
        item.publish_time.FromNanoseconds(row.publish_time_ns)
    if row.expire_time_ns is not None:
        item.expire_time.FromNanoseconds(row.expire_time_ns)
    return item


async def _missing(
    stub: catalog_service_pb2_grpc.CatalogServiceAsyncStub, tenant: str, item_ids: list[str]
) -> set[str]:
    request = catalog_service_pb2.GetItemsRequest(tenant=tenant, item_ids=item_ids)
    try:
        answer = await stub.GetItems(request, timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        # The tenant itself does not exist: nothing of it does.
        return set(item_ids)
    return set(answer.missing_item_ids)


def _is_about_items(error: grpc.aio.AioRpcError) -> bool:
    """Return whether fewer items, or others, may be taken."""
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Too large. What was shed says when to come again.
        return pause_seconds(error) is None
    refused = error.code() is grpc.StatusCode.INVALID_ARGUMENT
    return refused and any(one.field.startswith("items") for one in violations_of(error))


def _outcome(
    row: ItemRow, result: catalog_service_pb2.ItemResult, fields: ItemFields
) -> str | RowFault:
    if result.outcome == catalog_service_pb2.ITEM_OUTCOME_REJECTED:
        column = fields.item if result.field == "item_id" else getattr(fields, result.field, "")
        if not isinstance(column, str):
            return RowFault("REJECTED", result.detail)
        value = row.block.column(column)[row.index] if column else ""
        return RowFault("REJECTED", result.detail, column, shown(value))
    name = catalog_service_pb2.ItemOutcome.Name(result.outcome)
    return name.removeprefix("ITEM_OUTCOME_").lower()
