"""What a schema holds, read in the very snapshot that is dumped."""

import asyncpg

from services.cli.backup.manifest import FeedPoint

FEEDBACK = "feedback"
PROFILE = "profile"
_POINTS = {
    FEEDBACK: "SELECT s.epoch, s.head AS sequence, l.version FROM feedback.shards s"
    " JOIN feedback.learners l USING (shard) WHERE s.shard = 0",
    PROFILE: "SELECT e.epoch, e.sequence, l.version FROM profile.entries_cursor e"
    " JOIN profile.learned_cursor l USING (shard) WHERE e.shard = 0",
}
# Tables that are not empty right after the migrations.
_FROM_THE_START = (
    "schema_migrations",
    "shards",
    "learners",
    "entries_cursor",
    "learned_cursor",
    "turns",
)


async def feed_point(connection: asyncpg.Connection, schema: str) -> FeedPoint:
    """Return where the schema is in the feed.

    Raises:
        LookupError: it has no such row.

    """
    row = await connection.fetchrow(_POINTS[schema])
    if row is None:
        raise LookupError(f"schema {schema} has no shard 0")
    return FeedPoint(row["epoch"], row["sequence"], row["version"])


async def tables(connection: asyncpg.Connection, schema: str) -> list[str]:
    """Return the names of the tables of a schema, sorted; none when it is not there."""
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        ' ORDER BY c.relname COLLATE "C"',
        schema,
    )
    return [row["relname"] for row in rows]


async def row_counts(connection: asyncpg.Connection, schema: str) -> dict[str, int]:
    """Return how many rows each table has."""
    return {
        table: await connection.fetchval(f'SELECT count(*) FROM {schema}."{table}"', timeout=None)
        for table in await tables(connection, schema)
    }


async def is_empty(connection: asyncpg.Connection, schema: str) -> bool:
    """Return whether the schema is missing, or as the migrations left it."""
    for table in await tables(connection, schema):
        if table in _FROM_THE_START:
            continue
        if await connection.fetchval(f'SELECT EXISTS (SELECT FROM {schema}."{table}")'):
            return False
    return True


async def migrations(connection: asyncpg.Connection, schema: str) -> tuple[str, ...]:
    """Return the migrations that were applied, sorted."""
    rows = await connection.fetch(f"SELECT version FROM {schema}.schema_migrations ORDER BY 1")
    return tuple(row["version"] for row in rows)


async def estimated_bytes(connection: asyncpg.Connection, schema: str) -> int:
    """Return what the tables take on disk, indexes aside."""
    found: int = await connection.fetchval(
        "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')",
        schema,
    )
    return found
