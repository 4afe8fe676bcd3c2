"""What a suite must know before a history: the items, and the users where they are known."""

from pathlib import Path

from services.cli.clients import Clients
from services.cli.demo.data import DemoData
from services.cli.imports.import_state import ImportStateFile
from services.cli.imports.item_target import item_target
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.row_import import import_rows
from services.cli.imports.user_rows import user_columns
from services.cli.imports.user_target import user_target
from services.cli.progress_bar import progress_bar
from services.dataset.item_columns import item_columns


async def import_people_and_items(
    clients: Clients, tenant: str, data: DemoData, folder: Path
) -> None:
    """Import items and users; `folder` gets the state of the import, and what was not taken.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    with progress_bar("items", data.items.count_rows()) as progress:
        await import_rows(
            data.items.rows,
            item_target(
                clients.catalog, tenant, item_columns(data.items.columns, data.item_options)
            ),
            lambda keep: RejectsFile(folder / "items", keep),
            ImportStateFile(folder, "items"),
            progress,
        )
    if data.users is None:
        return
    with progress_bar("users", data.users.count_rows()) as progress:
        await import_rows(
            data.users.rows,
            user_target(clients.profile, tenant, user_columns(data.users.columns, None, None)),
            lambda keep: RejectsFile(folder / "users", keep),
            ImportStateFile(folder, "users"),
            progress,
        )
