"""PostgreSQL through asyncpg, with its faults as ours."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.errors import StoreUnavailableError

COMMAND_TIMEOUT_SECONDS = 30.0
ACQUIRE_SECONDS = 5.0
"""Waiting longer than this for a connection counts as the store being away."""

Connection = asyncpg.Connection | PoolConnectionProxy
"""A connection, of a pool or by itself."""


async def open_pool(dsn: str, schema: str, max_size: int) -> asyncpg.Pool:
    """Return a pool whose connections see `schema` only.

    Raises:
        StoreUnavailableError: the server is away, or refuses us.

    """
    with store_faults():
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=max_size,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            reset=_keep,
            server_settings={"search_path": schema, "application_name": f"harken-{schema}"},
        )


async def _keep(connection: Connection) -> None:
    """Leave the session as it is: settings are made per transaction only, never per session.

    asyncpg's own reset asks the server once per release, which costs more than most queries here.
    """


@contextlib.contextmanager
def store_faults() -> Iterator[None]:
    """Turn faults of the connection or the server's state into StoreUnavailableError.

    Faults of ours (a wrong statement, a violated constraint) pass through: they are bugs.
    """
    try:
        yield
    except (
        OSError,
        asyncpg.InterfaceError,
        # Also what asyncpg says when the server dies at the wrong moment of a conversation.
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.InvalidAuthorizationSpecificationError,
        # What a demoted or failing-over primary answers.
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.TransactionRollbackError,
        asyncpg.LockNotAvailableError,
        TimeoutError,
    ) as error:
        raise StoreUnavailableError(f"the store is away: {error}") from error


@contextlib.asynccontextmanager
async def session(pool: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """Lend a connection for one piece of work.

    Raises:
        StoreUnavailableError: the store is away, or all connections stay busy.

    """
    with store_faults():
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            yield connection


async def one_row(
    connection: Connection | asyncpg.Pool, query: str, *arguments: Any
) -> asyncpg.Record:
    """Return the row of a query that always has one."""
    row: asyncpg.Record | None = await connection.fetchrow(query, *arguments)
    if row is None:
        raise LookupError(f"no row: {query}")
    return row
