"""Takes a batch of items: refuses those that are out of limits, stores the others."""

from collections.abc import Sequence, Set

from harken.feedback.v1 import catalog_service_pb2 as pb
from harken.feedback.v1 import item_pb2
from services.common.position import Position
from services.feedback.catalogue.catalog_store import CatalogStore, Upserted
from services.feedback.catalogue.item_conversion import item_fault
from services.feedback.log.tenant_registry import TenantRegistry


class ItemRecorder:
    """Creates and updates items, one outcome each."""

    def __init__(self, tenants: TenantRegistry, store: CatalogStore) -> None:
        self._tenants = tenants
        self._store = store

    async def record(
        self, tenant: str, items: Sequence[item_pb2.Item], paths: Set[str]
    ) -> tuple[list[pb.ItemResult], Position | None]:
        """Return results in the order of the items, and the position when anything changed.

        The first sound item of a tenant creates the tenant.
        """
        faults = [item_fault(item) for item in items]
        sound = [item for item, fault in zip(items, faults, strict=True) if fault is None]
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
        return results, position


def _rejected(ordinal: int, field: str, detail: str) -> pb.ItemResult:
    return pb.ItemResult(
        ordinal=ordinal, outcome=pb.ITEM_OUTCOME_REJECTED, field=field, detail=detail
    )


def _upserted(ordinal: int, outcome: Upserted) -> pb.ItemResult:
    if outcome.fault is not None:
        return _rejected(ordinal, *outcome.fault)
    if outcome.created:
        name = pb.ITEM_OUTCOME_CREATED
    else:
        name = pb.ITEM_OUTCOME_UPDATED if outcome.changed else pb.ITEM_OUTCOME_UNCHANGED
    return pb.ItemResult(ordinal=ordinal, outcome=name)
