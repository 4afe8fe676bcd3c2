"""The catalogue in PostgreSQL: each change is a row and a log entry in one transaction."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from harken.feedback.v1 import item_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection, session, store_faults
from services.common.position import Position
from services.common.turns import Turns
from services.feedback.catalogue.item_conversion import merge_fault, merged
from services.feedback.catalogue.item_directory import ItemDirectory
from services.feedback.log.log_store import NewEntry, append_entries

_PAGE_BYTES = 3 * 1024 * 1024
"""Of a page, so that it passes the 4 MiB that clients take by default."""


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of an item: it was created, or it was changed, or neither; or a field would have
    grown beyond its limit, and why.
    """

    created: bool
    changed: bool
    fault: tuple[str, str] | None = None


class CatalogStore:
    """Reads and writes items of all tenants."""

    def __init__(self, pool: asyncpg.Pool, directory: ItemDirectory) -> None:
        self._pool = pool
        self._directory = directory
        self._turns = Turns("catalogue changes")

    async def upsert(
        self, tenant: str, items: Sequence[item_pb2.Item], paths: Set[str]
    ) -> tuple[list[Upserted], Position | None]:
        """Create or update items with distinct ids; of existing ones write only `paths`.

        Return what became of each, and the position when anything changed.
        """
        async with (
            self._turns.turn(tenant),
            session(self._pool) as connection,
            connection.transaction(),
        ):
            await _lock_catalogue(connection, tenant)
            outcome = await self._upsert(connection, tenant, items, paths)
        self._directory.add((tenant, item.item_id) for item in items)
        return outcome

    async def _upsert(
        self,
        connection: Connection,
        tenant: str,
        items: Sequence[item_pb2.Item],
        paths: Set[str],
    ) -> tuple[list[Upserted], Position | None]:
        now: datetime = await connection.fetchval("SELECT now()")
        stored = await _read(connection, tenant, [item.item_id for item in items])
        outcomes: list[Upserted] = []
        changed: list[item_pb2.Item] = []
        for item in items:
            before = stored.get(item.item_id)
            after = merged(before, item, paths, now)
            fault = None if after is None else merge_fault(after)
            if fault is not None:
                outcomes.append(Upserted(False, False, fault))
                continue
            if after is not None:
                changed.append(after)
            outcomes.append(Upserted(before is None, after is not None))
        if not changed:
            return outcomes, None
        await connection.execute(
            "INSERT INTO items (tenant, item_id, item, updated_at)"
            " SELECT $1, i.item_id, i.item, $4 FROM unnest($2::text[], $3::bytea[])"
            " AS i (item_id, item)"
            " ON CONFLICT (tenant, item_id) DO UPDATE"
            " SET item = excluded.item, updated_at = excluded.updated_at",
            tenant,
            [item.item_id for item in changed],
            [item.SerializeToString() for item in changed],
            now,
        )
        entries = [entry_pb2.Entry(item_upserted=item) for item in changed]
        return outcomes, await _append(connection, tenant, entries)

    async def delete(
        self, tenant: str, item_ids: Sequence[str]
    ) -> tuple[set[str], Position | None]:
        """Delete items; return the ids that existed, and the position when any did."""
        async with (
            self._turns.turn(tenant),
            session(self._pool) as connection,
            connection.transaction(),
        ):
            await _lock_catalogue(connection, tenant)
            rows = await connection.fetch(
                "DELETE FROM items WHERE tenant = $1 AND item_id = ANY($2) RETURNING item_id",
                tenant,
                list(item_ids),
            )
            deleted = {row["item_id"] for row in rows}
            position = None
            if deleted:
                entries = [entry_pb2.Entry(item_deleted=item_id) for item_id in sorted(deleted)]
                position = await _append(connection, tenant, entries)
        self._directory.discard((tenant, item_id) for item_id in deleted)
        return deleted, position

    async def get(self, tenant: str, item_ids: Sequence[str]) -> dict[str, item_pb2.Item]:
        """Return the items that exist, by id."""
        async with session(self._pool) as connection:
            return await _read(connection, tenant, item_ids)

    async def page(self, tenant: str, after_id: str, size: int) -> tuple[list[item_pb2.Item], bool]:
        """Return up to `size` items whose id follows `after_id`, in byte order of ids, and whether
        there are more. A page of large items ends early.
        """
        with store_faults():
            rows = await self._pool.fetch(
                "SELECT item FROM items WHERE tenant = $1 AND item_id > $2"
                " ORDER BY item_id LIMIT $3",
                tenant,
                after_id,
                size + 1,
            )
        page: list[item_pb2.Item] = []
        total = 0
        for row in rows[:size]:
            total += len(row["item"])
            if total > _PAGE_BYTES and page:
                return page, True
            page.append(item_pb2.Item.FromString(row["item"]))
        return page, len(rows) > size


async def _lock_catalogue(connection: Connection, tenant: str) -> None:
    """Make changes of one tenant's catalogue serial, so that rows and log agree on their order."""
    await connection.execute("SELECT take_catalogue_turn($1)", tenant)


async def _read(
    connection: Connection, tenant: str, item_ids: Sequence[str]
) -> dict[str, item_pb2.Item]:
    rows = await connection.fetch(
        "SELECT item_id, item FROM items WHERE tenant = $1 AND item_id = ANY($2)",
        tenant,
        list(item_ids),
    )
    return {row["item_id"]: item_pb2.Item.FromString(row["item"]) for row in rows}


async def _append(
    connection: Connection, tenant: str, entries: Sequence[entry_pb2.Entry]
) -> Position:
    return await append_entries(
        connection, [NewEntry(tenant, None, entry.SerializeToString()) for entry in entries]
    )
