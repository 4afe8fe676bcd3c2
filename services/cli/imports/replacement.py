"""A file as the whole catalogue: what is not in it is hidden or deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.cli.catalogue import delete_items, set_available
from services.cli.clients import Clients
from services.cli.listing import listed_items

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


async def difference(clients: Clients, tenant: str, named: set[str], gone: Gone) -> Difference:
    """Compare the catalogue with the ids that a file names; items that are hidden already are not
    gone again. Ids stand with their titles.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    missing: list[tuple[str, str]] = []
    hidden: list[str] = []
    total = 0
    async for page in listed_items(clients, tenant):
        for item in page:
            shown = item.available or not item.HasField("available")
            total += shown or gone is Gone.DELETE
            if item.item_id in named:
                if not shown:
                    hidden.append(item.item_id)
            elif shown or gone is Gone.DELETE:
                missing.append((item.item_id, item.title))
    return Difference(missing, hidden, total)


async def remove(clients: Clients, tenant: str, item_ids: Sequence[str], gone: Gone) -> None:
    """Hide or delete items.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    if gone is Gone.DELETE:
        await delete_items(clients, tenant, item_ids)
    else:
        await set_available(clients, tenant, item_ids, available=False)
