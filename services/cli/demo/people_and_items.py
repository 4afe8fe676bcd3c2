"""What a suite must know before a history: the items, and the users where they are known."""

from collections.abc import Callable, Iterator
from pathlib import Path

from services.cli.clients import Clients
from services.cli.demo.data import DemoData
from services.cli.imports.import_state import ImportStateFile
from services.cli.imports.item_target import item_target
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.row_import import RowTarget, Thing, import_rows
from services.cli.imports.user_target import user_target
from services.cli.progress_bar import progress_bar
from services.dataset.faults import FaultyRow
from services.dataset.fields.item_fields import ItemReader, item_fields
from services.dataset.fields.user_fields import UserReader, user_fields
from services.dataset.table.table import open_table


async def import_people_and_items(
    clients: Clients, tenant: str, data: DemoData, folder: Path
) -> None:
    """Import items and users; `folder` gets the state of the import, and what was not taken.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    with open_table(data.items) as table:
        fields = item_fields(table, data.item_options)
        target = item_target(clients.catalog, tenant, fields)
        await _import("items", ItemReader(table, fields).rows, target, folder)
    if data.users is not None:
        with open_table(data.users) as table:
            people = UserReader(table, user_fields(table))
            await _import("users", people.rows, user_target(clients.profile, tenant), folder)


async def _import(
    kind: str,
    rows: Callable[[], Iterator[Thing | FaultyRow]],
    target: RowTarget[Thing],
    folder: Path,
) -> None:
    rejects = folder / f"{kind}.rejects.jsonl"
    with progress_bar(kind, sum(1 for _ in rows())) as progress:
        await import_rows(
            rows, target, lambda keep: RejectsFile(rejects, rejects, keep),
            ImportStateFile(folder, kind), progress,
        )  # fmt: skip
