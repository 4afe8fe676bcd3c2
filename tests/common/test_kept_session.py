"""A connection that a task keeps: one for all its work, another one after a fault."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from services.common.database import KeptSession, open_pool
from services.common.errors import StoreUnavailableError
from tests.conftest import FreshDatabase
from tests.waiting import until


@pytest_asyncio.fixture
async def pool(database: FreshDatabase) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database.feedback_dsn, "public", 1)
    yield pool
    await pool.close()


async def backend(kept: KeptSession) -> int:
    async with kept as connection:
        number: int = await connection.fetchval("SELECT pg_backend_pid()")
    return number


async def test_it_is_one_connection_until_it_is_given_back(pool: asyncpg.Pool) -> None:
    kept = KeptSession(pool)
    assert await backend(kept) == await backend(kept)
    assert pool.get_idle_size() == 0
    await kept.release()
    await kept.release()
    assert pool.get_idle_size() == 1


async def test_after_the_server_cut_it_comes_another_one(
    pool: asyncpg.Pool, admin: asyncpg.Connection
) -> None:
    kept = KeptSession(pool)
    first = await backend(kept)
    await admin.execute("SELECT pg_terminate_backend($1)", first)
    # Between two blocks the pool takes it back before anybody asks, and may open another one.
    await until(lambda: pool.get_size() == 0 or pool.get_idle_size(), "the pool knows it is gone")
    assert await backend(kept) != first
    await kept.release()


async def test_a_cut_during_a_block_is_the_store_being_away(
    pool: asyncpg.Pool, admin: asyncpg.Connection
) -> None:
    kept = KeptSession(pool)
    first = await backend(kept)
    with pytest.raises(StoreUnavailableError):
        async with kept as connection:
            await admin.execute("SELECT pg_terminate_backend($1)", first)
            await connection.execute("SELECT pg_sleep(5)")
    assert await backend(kept) != first
    await kept.release()


async def test_faults_of_ours_pass_and_the_connection_goes_back(pool: asyncpg.Pool) -> None:
    kept = KeptSession(pool)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with kept as connection:
            await connection.execute("SELECT * FROM nowhere")
    assert pool.get_idle_size() == 1
