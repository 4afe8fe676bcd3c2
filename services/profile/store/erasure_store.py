"""Erasures of users: asked for, on their way to the log, and applied."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import one_row, session, store_faults, vacuum
from services.common.erasure_ledger import LedgerLine
from services.feed.entries import ErasedUser

_COLUMNS = """
    erasure_id, tenant, user_key, note, requested_at, position, sequence, erased_at_us, counts,
    applied_at, finished
"""
_RUNNING = f"""
    SELECT {_COLUMNS} FROM erasures
    WHERE tenant = $1 AND tombstone = $2 AND NOT finished AND user_key IS NOT NULL
    ORDER BY requested_at DESC LIMIT 1 FOR UPDATE
"""
_CAME_BACK = """
    SELECT EXISTS (SELECT FROM histories WHERE tenant = $1 AND user_key = $2)
        OR EXISTS (SELECT FROM set_vectors WHERE tenant = $1 AND user_key = $2)
        OR EXISTS (SELECT FROM attributes WHERE tenant = $1 AND user_key = $2)
"""
_BEGIN = """
    INSERT INTO erasures (erasure_id, tenant, user_key, tombstone, note)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
# The log takes none of these facts any more; where it has no such tenant, they would wait for ever.
_DROP_FACTS = "DELETE FROM user_fact_outbox WHERE tenant = $1 AND user_key = $2"
_KNOWN = "SELECT erasure_id FROM erasures WHERE erasure_id = ANY ($1::text[])"
_WAITING = f"""
    SELECT {_COLUMNS} FROM erasures WHERE position IS NULL AND user_key IS NOT NULL
    ORDER BY requested_at LIMIT $1
"""
_APPENDED = """
    UPDATE erasures SET position = $2, erased_at_us = $3 WHERE erasure_id = $1 AND position IS NULL
"""
_GET = f"SELECT {_COLUMNS} FROM erasures WHERE tenant = $1 AND erasure_id = $2"
_PAGE = f"""
    SELECT {_COLUMNS} FROM erasures
    WHERE tenant = $1 AND (requested_at, erasure_id) < (to_timestamp($2::float8 / 1e6), $3)
    ORDER BY requested_at DESC, erasure_id DESC LIMIT $4
"""
_UNTOLD = f"""
    SELECT {_COLUMNS} FROM erasures WHERE applied_at IS NOT NULL AND sequence > 0 AND NOT told
    ORDER BY sequence LIMIT $1
"""
_TOLD = "UPDATE erasures SET told = true WHERE erasure_id = ANY ($1::text[])"
_UNFINISHED = f"""
    SELECT {_COLUMNS} FROM erasures WHERE position IS NOT NULL AND NOT finished
    ORDER BY requested_at LIMIT $1
"""
_FINISH = "UPDATE erasures SET finished = true, user_key = NULL WHERE erasure_id = $1"
# What the log told of is applied even where nobody asked here, as after a restore.
_APPLIED = """
    INSERT INTO erasures AS e
        (erasure_id, tenant, tombstone, sequence, erased_at_us, applied_at, counts)
    VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6)
    ON CONFLICT (erasure_id) DO UPDATE SET sequence = excluded.sequence,
        erased_at_us = excluded.erased_at_us, applied_at = excluded.applied_at,
        counts = excluded.counts, told = false
"""
_KEYS = """
    SELECT DISTINCT user_key, sha256(user_key) AS tombstone FROM (
        SELECT user_key FROM histories WHERE tenant = $1
        UNION ALL SELECT user_key FROM set_vectors WHERE tenant = $1
        UNION ALL SELECT user_key FROM learned_vectors WHERE tenant = $1
        UNION ALL SELECT user_key FROM attributes WHERE tenant = $1
        UNION ALL SELECT user_key FROM user_fact_outbox WHERE tenant = $1
        UNION ALL SELECT from_key FROM user_links WHERE tenant = $1
        UNION ALL SELECT into_key FROM user_links WHERE tenant = $1 AND into_key IS NOT NULL
    ) k WHERE sha256(user_key) = ANY ($2::bytea[])
"""
_VACUUMED = (
    "histories", "history_chunks", "set_vectors", "learned_vectors", "attributes",
    "user_fact_outbox", "user_links", "user_merges", "erasures",
)  # fmt: skip
_DELETIONS = {
    "history_chunks": "DELETE FROM history_chunks WHERE history_id IN"
    " (SELECT id FROM histories WHERE tenant = $1 AND user_key = ANY ($2::bytea[]))",
    "histories": "DELETE FROM histories WHERE tenant = $1 AND user_key = ANY ($2::bytea[])",
    "set_vectors": "DELETE FROM set_vectors WHERE tenant = $1 AND user_key = ANY ($2::bytea[])",
    "merges": "DELETE FROM user_merges WHERE tenant = $1"
    " AND (from_key = ANY ($2::bytea[]) OR into_key = ANY ($2::bytea[]))",
    "learned_vectors": "DELETE FROM learned_vectors"
    " WHERE tenant = $1 AND user_key = ANY ($2::bytea[])",
}
"""What follows from the log, by what it is; chunks before the histories they are found by."""
_DATED_DELETIONS = {
    "attributes": "DELETE FROM attributes"
    " WHERE tenant = $1 AND user_key = ANY ($2::bytea[]) AND revision <= $3",
    "links": "DELETE FROM user_links WHERE tenant = $1 AND (from_key = ANY ($2::bytea[])"
    " OR into_key = ANY ($2::bytea[]) OR direct_key = ANY ($2::bytea[])) AND revision <= $3",
    "user_facts_waiting": "DELETE FROM user_fact_outbox"
    " WHERE tenant = $1 AND user_key = ANY ($2::bytea[]) AND revision <= $3",
}
"""What is set here: revisions follow the clock, and later ones are of somebody who came back."""


@dataclass(frozen=True, slots=True)
class StoredErasure:
    """An erasure. user_key: None once finished, or where nobody asked here. position: empty until
    the log has it. counts: what was deleted here, None until it was applied.
    """

    erasure_id: str
    tenant: str
    user_key: bytes | None
    note: str
    requested_at: datetime
    position: bytes
    sequence: int
    erased_at_us: int
    counts: Mapping[str, int] | None
    applied_at: datetime | None
    finished: bool


class ErasureStore:
    """Keeps erasures."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin(self, tenant: str, user_key: bytes, note: str) -> StoredErasure:
        """Return the erasure of a user that runs; a new one if none does, or if the user came back
        since it was applied. Facts of the user that wait for the log are dropped.

        Raises:
            StoreUnavailableError: the store is away. It may have begun all the same.

        """
        tombstone = hashlib.sha256(user_key).digest()
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute(_DROP_FACTS, tenant, user_key)
            running = await connection.fetchrow(_RUNNING, tenant, tombstone)
            if running is not None and (
                running["applied_at"] is None
                or not await connection.fetchval(_CAME_BACK, tenant, user_key)
            ):
                return _stored(running)
            # Who asks for the same beside us waits here for the index, and finds ours.
            await connection.execute(_BEGIN, str(uuid.uuid4()), tenant, user_key, tombstone, note)
            return _stored(await one_row(connection, _RUNNING, tenant, tombstone))

    async def apply_ledger(self, lines: Sequence[LedgerLine]) -> int:
        """Erase whom a ledger names and we do not know of, as after a restore of an older backup;
        return how many these are.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection, connection.transaction():
            rows = await connection.fetch(_KNOWN, [line.erasure_id for line in lines])
            known = {row["erasure_id"] for row in rows}
            missing = [line for line in lines if line.erasure_id not in known]
            # The log tells of them again, and then of where they are in it.
            await erase(
                connection,
                [
                    (
                        line.tenant,
                        ErasedUser(
                            line.erasure_id, b"", bytes.fromhex(line.tombstone),
                            line.erased_at_us, 0,
                        ),
                    )
                    for line in missing
                ],
            )  # fmt: skip
        return len(missing)

    async def waiting(self, most: int) -> list[StoredErasure]:
        """Return erasures that the log does not have yet, the oldest first."""
        return await self._fetch(_WAITING, most)

    async def appended(self, erasure_id: str, position: bytes, erased_at_us: int) -> None:
        """Take note that the log has an erasure."""
        with store_faults():
            await self._pool.execute(_APPENDED, erasure_id, position, erased_at_us)

    async def get(self, tenant: str, erasure_id: str) -> StoredErasure | None:
        """Return an erasure of a tenant."""
        found = await self._fetch(_GET, tenant, erasure_id)
        return found[0] if found else None

    async def page(
        self, tenant: str, before_us: int, before_id: str, size: int
    ) -> list[StoredErasure]:
        """Return erasures of a tenant that were asked for before one, the newest first."""
        return await self._fetch(_PAGE, tenant, before_us, before_id, size)

    async def untold(self, most: int) -> list[StoredErasure]:
        """Return erasures that were applied, and of which the log has no receipt of ours."""
        return await self._fetch(_UNTOLD, most)

    async def told(self, erasure_ids: Sequence[str]) -> None:
        """Take note that the log has our receipts."""
        with store_faults():
            await self._pool.execute(_TOLD, list(erasure_ids))

    async def vacuum(self) -> None:
        """Free what the rows that went took in their pages, statistics included."""
        await vacuum(self._pool, _VACUUMED)

    async def unfinished(self, most: int) -> list[StoredErasure]:
        """Return erasures that the log has and is not done with, the oldest first."""
        return await self._fetch(_UNFINISHED, most)

    async def finish(self, erasure_id: str) -> None:
        """Forget whom an erasure was of: it is done."""
        with store_faults():
            await self._pool.execute(_FINISH, erasure_id)

    async def _fetch(self, query: str, *arguments: object) -> list[StoredErasure]:
        with store_faults():
            return [_stored(row) for row in await self._pool.fetch(query, *arguments)]


async def erase(
    connection: PoolConnectionProxy, erasures: Sequence[tuple[str, ErasedUser]]
) -> None:
    """Delete what is here of users, given with their tenants, and remember that it is; in a
    transaction of the caller.
    """
    unnamed: dict[str, list[bytes]] = {}
    for tenant, erased in erasures:
        if not erased.user_key:
            unnamed.setdefault(tenant, []).append(erased.tombstone)
    found: dict[tuple[str, bytes], list[bytes]] = {}
    for tenant, tombstones in unnamed.items():
        # The log was scrubbed before we came to it, as after a restore of ours: all are looked at.
        for row in await connection.fetch(_KEYS, tenant, tombstones):
            found.setdefault((tenant, row["tombstone"]), []).append(row["user_key"])
    for tenant, erased in erasures:
        keys = [erased.user_key] if erased.user_key else found.get((tenant, erased.tombstone), [])
        await _erase_one(connection, tenant, erased, keys)


async def _erase_one(
    connection: PoolConnectionProxy, tenant: str, erased: ErasedUser, keys: Sequence[bytes]
) -> None:
    counts = {}
    for name, deletion in _DELETIONS.items() if keys else ():
        counts[name] = _count(await connection.execute(deletion, tenant, keys))
    for name, deletion in _DATED_DELETIONS.items() if keys else ():
        tag = await connection.execute(deletion, tenant, keys, erased.erased_at_us)
        counts[name] = _count(tag)
    await connection.execute(
        _APPLIED, erased.erasure_id, tenant, erased.tombstone, erased.sequence,
        erased.erased_at_us, json.dumps(counts),
    )  # fmt: skip


def _count(tag: str) -> int:
    """Return how many rows a command says that it changed."""
    return int(tag.rpartition(" ")[2])


def _stored(row: asyncpg.Record) -> StoredErasure:
    return StoredErasure(
        row["erasure_id"], row["tenant"], row["user_key"], row["note"], row["requested_at"],
        row["position"] or b"", row["sequence"] or 0, row["erased_at_us"] or 0,
        None if row["counts"] is None else json.loads(row["counts"]), row["applied_at"],
        row["finished"],
    )  # fmt: skip
