"""The audit logs of a deployment, read from PostgreSQL itself.

Not by an RPC: who checks what processes wrote should not have to ask them. It needs SELECT on
`audit_entries` and nothing else, and works on a restored backup.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from services.cli.backup.connection import connected
from services.cli.backup.store_dsns import StoreDsns
from services.cli.failures import CommandError
from services.common.audit.chain import ChainCheck, Fault, Head, Link, origin

SCHEMAS = ("feedback", "profile")
_ROWS_AT_ONCE = 2000


async def head(dsns: StoreDsns, schema: str) -> Head:
    """Return how far a log reaches."""
    async with _reading(dsns, schema) as connection:
        row = await connection.fetchrow(
            f"SELECT sequence, hash FROM {schema}.audit_entries ORDER BY sequence DESC LIMIT 1"
        )
    return origin(schema) if row is None else Head(row["sequence"], row["hash"])


async def newest(dsns: StoreDsns, schema: str, count: int) -> list[Link]:
    """Return the newest rows of a log, oldest first."""
    async with _reading(dsns, schema) as connection:
        rows = await connection.fetch(
            "SELECT sequence, at_us, entry, hash FROM"
            f" {schema}.audit_entries ORDER BY sequence DESC LIMIT $1",
            count,
        )
    return [_link(row) for row in reversed(rows)]


async def check(dsns: StoreDsns, schema: str, known: list[Head]) -> tuple[Head, Fault | None]:
    """Return how far a log is as it was written, and the first fault if there is one."""
    chain = ChainCheck(schema, known)
    async with _reading(dsns, schema) as connection, connection.transaction():
        cursor = await connection.cursor(
            f"SELECT sequence, at_us, entry, hash FROM {schema}.audit_entries ORDER BY sequence"
        )
        while rows := await cursor.fetch(_ROWS_AT_ONCE):
            for fault in chain.faults(_link(row) for row in rows):
                return chain.head, fault
    return chain.head, chain.fault_at_end()


@asynccontextmanager
async def _reading(dsns: StoreDsns, schema: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(dsns.feedback if schema == SCHEMAS[0] else dsns.profile, "audit") as one:
        if await one.fetchval("SELECT to_regclass($1)", f"{schema}.audit_entries") is None:
            raise CommandError(f"schema {schema} has no audit log: apply the migrations")
        yield one


def _link(row: asyncpg.Record) -> Link:
    return Link(row["sequence"], row["at_us"], row["entry"], row["hash"])
