"""A connection by which a hub listens to its table."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from services.common.database import store_faults
from services.common.errors import StoreUnavailableError
from services.feedback.log.epochs import settle_epoch


@contextlib.asynccontextmanager
async def listening(pool: asyncpg.Pool, dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Lend a connection of its own, once the epoch of the server is settled.

    Raises:
        StoreUnavailableError: the server is away.

    """
    with store_faults():
        connection = await asyncpg.connect(dsn)
    try:
        # The server may be another one than before: then a new epoch begins.
        await settle_epoch(pool)
        yield connection
    finally:
        with contextlib.suppress(StoreUnavailableError, asyncpg.PostgresError), store_faults():
            await connection.close(timeout=1.0)
