"""Connections for backup and restore; what PostgreSQL refuses becomes one clear line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from services.cli.failures import CommandError


@asynccontextmanager
async def connected(dsn: str, application: str) -> AsyncIterator[asyncpg.Connection]:
    """Lend a connection without a limit of time per statement.

    Raises:
        CommandError: PostgreSQL refuses it, or anything that is asked of it.

    """
    try:
        connection = await asyncpg.connect(
            dsn, server_settings={"application_name": application, "statement_timeout": "0"}
        )
        try:
            yield connection
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandError(f"PostgreSQL refuses: {error}") from error
