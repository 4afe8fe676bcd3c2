"""Facts about users on their way to the log."""

import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

import asyncpg

from services.common.database import session
from services.common.request_limits import MAX_STRUCT_BYTES
from services.common.vault.vault import UserVault
from services.profile.store.sealed_attributes import NOTHING, attribute_seals

_MAX_FACTS, _MAX_BYTES = 128, 2 * 1024 * 1024
"""Of the facts handed out at once."""
_GROWTH = 6
"""How much longer attributes are at most as a Struct on the wire, where "1," takes 11 bytes; the
whole is bounded when it is stored."""

# One probe of the index per tenant, however many rows wait.
_TENANTS = """
    WITH RECURSIVE waiting AS (
        (SELECT tenant FROM user_fact_outbox ORDER BY tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT o.tenant FROM user_fact_outbox o WHERE o.tenant > w.tenant
                ORDER BY o.tenant LIMIT 1)
        FROM waiting w WHERE w.tenant IS NOT NULL
    )
    SELECT tenant FROM waiting WHERE tenant IS NOT NULL
"""
_CLAIM = """
    SELECT id, user_key, revision, attributes, sealed, consent, link FROM user_fact_outbox
    WHERE tenant = $1 AND id <> ALL ($3::bigint[]) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_DROP = "DELETE FROM user_fact_outbox WHERE tenant = $1 AND id = ANY ($2::bigint[])"
_BACKLOG = """
    SELECT count(*) AS rows,
           coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age
    FROM user_fact_outbox
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """Attributes of a user, as JSON text, and consent, serialised, as of a revision; of attributes
    none are left where the key that sealed them was destroyed. `place`: its row. `link`: what the
    row is instead, if that: a serialised UserLink.
    """

    place: int
    user_key: bytes
    revision: int
    attributes: str
    consent: bytes
    link: bytes | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Facts to deliver in one message, and whether more wait of the same tenant."""

    facts: list[Fact]
    more: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits, and for how long the oldest of it, in seconds."""

    rows: int
    age: float


class OutboxStore:
    """Hands out facts to deliver."""

    def __init__(self, pool: asyncpg.Pool, vault: UserVault) -> None:
        self._pool = pool
        self._vault = vault

    async def tenants(self) -> list[str]:
        """Return the tenants that facts wait of.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            return [row["tenant"] for row in await connection.fetch(_TENANTS)]

    async def backlog(self) -> Backlog:
        """Return how much waits.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            row = await connection.fetchrow(_BACKLOG)
        return Backlog(row["rows"], row["age"]) if row is not None else Backlog(0, 0.0)

    @contextlib.asynccontextmanager
    async def claimed(self, tenant: str, without: Collection[int]) -> AsyncIterator[Claim]:
        """Lend the oldest facts of a tenant that nobody else holds, as many as fit a message, but
        for those at some places.

        They are gone when the block ends, and stay when it raises.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection, connection.transaction():
            waiting = await connection.fetch(_CLAIM, tenant, _MAX_FACTS, list(without))
            sealed = [row["user_key"] for row in waiting if row["sealed"] is not None]
            seals = await attribute_seals(self._vault, tenant, sealed)
            texts = [
                seals.text(row["user_key"], row["attributes"], row["sealed"]) or NOTHING
                for row in waiting
            ]
            rows = waiting[: _fitting([len(text.encode()) for text in texts])]
            facts = [
                Fact(row["id"], row["user_key"], row["revision"], text, row["consent"], row["link"])
                for row, text in zip(rows, texts, strict=False)
            ]
            yield Claim(facts, len(rows) < len(waiting) or len(waiting) == _MAX_FACTS)
            await connection.execute(_DROP, tenant, [row["id"] for row in rows])


def _fitting(sizes: Sequence[int]) -> int:
    """Return how many attributes, of sizes as text, fit into one message; at least one."""
    total = 0
    for index, size in enumerate(sizes):
        total += min(_GROWTH * size, MAX_STRUCT_BYTES)
        if index and total > _MAX_BYTES:
            return index
    return len(sizes)
