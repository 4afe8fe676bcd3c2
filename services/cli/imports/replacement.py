"""A file as the whole catalogue: what is not in it is hidden or deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.markup import escape

from services.cli.catalogue import delete_items, set_available
from services.cli.clients import Clients
from services.cli.console import messages
from services.cli.failures import CommandError
from services.cli.listing import listed_items
from services.dataset.faults import FaultyRow
from services.dataset.fields.item_fields import ItemRow

SAFE_SHARE = 0.1
"""Share of the catalogue that may go without being asked for."""
_SHOWN_GONE = 10


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


async def replace_catalogue(
    clients: Clients, tenant: str, named: set[str], gone: Gone, yes: bool
) -> None:
    """Hide or delete what a file does not name, after it was shown.

    named: ids of all rows, "" among them when one cannot be read. yes: also when much would go.

    Raises:
        CommandError: more would go than is safe without being asked for, or it is not known what.
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    found = await difference(clients, tenant, named - {""}, gone)
    console = messages()
    if "" in named and found.gone and not yes:
        raise CommandError(
            "rows were rejected whose item cannot be read, so it is not known what is gone: mend "
            "them, or say --yes (the other rows are imported)"
        )
    if found.hidden:
        console.print(
            f"{len(found.hidden):,} items of the source are hidden, and stay so "
            f"(harken items unhide): {', '.join(found.hidden[:_SHOWN_GONE])}",
            markup=False,
        )
    if not found.gone:
        return
    what = "deleted" if gone is Gone.DELETE else "hidden"
    console.print(f"not in the source, {what}: {len(found.gone):,} of {found.total:,} items")
    for item_id, title in found.gone[:_SHOWN_GONE]:
        console.print(f"  {escape(item_id)}  [dim]{escape(title)}[/]")
    if len(found.gone) > _SHOWN_GONE:
        console.print(f"  and {len(found.gone) - _SHOWN_GONE:,} more")
    if found.share > SAFE_SHARE and not yes:
        raise CommandError(
            f"that is {found.share:.0%} of the catalogue: nothing was {what}; say --yes when it is "
            "meant (the rows of the source are imported)"
        )
    await remove(clients, tenant, [item_id for item_id, _ in found.gone], gone)


def item_id_of(row: ItemRow | FaultyRow, column: str) -> str:
    """Return the id of a row, also of one that is faulty elsewhere; "" when it has none."""
    if isinstance(row, FaultyRow):
        cell = row.cells.get(column)
        return str(cell).strip() if isinstance(cell, str | int) else ""
    return row.content.item_id
