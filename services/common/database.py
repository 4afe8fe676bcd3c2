"""PostgreSQL through asyncpg, with its faults as ours."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.errors import StoreUnavailableError

COMMAND_TIMEOUT_SECONDS = 30.0
ACQUIRE_SECONDS = 5.0
"""Waiting longer than this for a connection counts as the store being away."""

_VACUUM_SECONDS = 3600.0

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
            server_settings={
                "search_path": schema,
                "application_name": f"harken-{schema}",
                # Our statements have one good plan, whatever the arguments. Left to itself the
                # server thinks it cheaper to plan most of them anew each time, for arrays of
                # unknown length count as ten: that takes longer than to run them.
                "plan_cache_mode": "force_generic_plan",
            },
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


class KeptSession:
    """A connection of a pool that one task keeps from one piece of work to the next.

    Lent like that of `session`, one block at a time: `async with kept as connection`. Asking the
    pool for one and giving it back costs more than most queries here. After a fault the connection
    goes back, and the next block gets another one.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connection: PoolConnectionProxy | None = None

    async def __aenter__(self) -> PoolConnectionProxy:
        """Return the connection. Raises as `session` does."""
        connection = self._connection
        if connection is None or _is_lost(connection):
            await self.release()
            with store_faults():
                connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
            self._connection = connection
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the connection, unless there was a fault."""
        if fault is None:
            return
        await self.release()
        with store_faults():
            raise fault

    async def release(self) -> None:
        """Give the connection back; the next block gets another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with store_faults():
                await self._pool.release(connection)


def _is_lost(connection: PoolConnectionProxy) -> bool:
    """Return whether a connection is of no use any more."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool took it back at the moment it broke.
        return True


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


async def vacuum(pool: asyncpg.Pool, tables: Iterable[str]) -> None:
    """Free what rows that went took in the pages of tables, and have statistics without them: these
    hold values of columns. A table that somebody else locks is left out.

    Raises:
        StoreUnavailableError: the store is away, or one took an hour.

    """
    async with session(pool) as connection:
        for table in tables:
            await connection.execute(
                f"VACUUM (ANALYZE, SKIP_LOCKED) {table}", timeout=_VACUUM_SECONDS
            )
