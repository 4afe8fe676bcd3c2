"""One connection for one piece of work."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import store_faults

ACQUIRE_SECONDS = 5.0
"""Waiting longer than this for a connection counts as the store being away."""


@contextlib.asynccontextmanager
async def session(pool: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """Lend a connection.

    Raises:
        StoreUnavailableError: the store is away, or all connections stay busy.

    """
    with store_faults():
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            yield connection
