"""All items or users of a tenant into a file."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from harken.profile.v1 import profile_pb2
from services.cli.clients import Clients
from services.cli.exports import item_table, user_table
from services.cli.exports.table_writer import Column, Row, table_writer
from services.cli.listing import listed_items, listed_profiles
from services.cli.progress_bar import progress_count
from services.common.consent import Purpose, consent_of

Thing = TypeVar("Thing")


async def export_items(clients: Clients, tenant: str, file: Path) -> int:
    """Write the catalogue of a tenant, in byte order of ids, and return how many items it has.

    Raises:
        grpc.aio.AioRpcError: the service refuses, or is away for longer than a few tries.
        CommandError: the name of the file says no format.
        OSError: the file cannot be written.

    """
    pages = listed_items(clients, tenant)
    return await _write(file, "items written", item_table.COLUMNS, pages, item_table.item_row)


async def export_users(clients: Clients, tenant: str, file: Path) -> int:
    """Write the attributes of users and sessions, and return how many have any. Who denies exports
    is left out.

    Raises:
        as export_items.

    """
    pages = _exportable(listed_profiles(clients, tenant))
    return await _write(file, "users written", user_table.COLUMNS, pages, user_table.user_row)


async def _exportable(
    pages: AsyncIterator[list[profile_pb2.Profile]],
) -> AsyncIterator[list[profile_pb2.Profile]]:
    async for page in pages:
        yield [one for one in page if consent_of(one.consent).denied & Purpose.EXPORT == 0]


async def _write(
    file: Path,
    what: str,
    columns: Sequence[Column],
    pages: AsyncIterator[list[Thing]],
    row_of: Callable[[Thing], Row],
) -> int:
    count = 0
    with table_writer(file, columns) as writer, progress_count(what) as progress:
        async for page in pages:
            for thing in page:
                writer.write(row_of(thing))
            count += len(page)
            progress(count)
    return count
