"""The table of users' keys, wrapped."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import asyncpg

from services.common.database import one_row, session

SCHEMA = "keys"

# Of those that were there before, what they are: the statement does not see what it inserts.
# Sorted, so that two calls cannot wait for each other.
_CREATE = """
    WITH given AS (
        SELECT * FROM unnest($2::bytea[], $3::bytea[], $4::bytea[])
            AS g (user_key, wrapped_key, sealed_name)
    ), made AS (
        INSERT INTO user_keys (tenant, user_key, wrapped_key, sealed_name)
        SELECT $1, user_key, wrapped_key, sealed_name FROM given ORDER BY user_key
        ON CONFLICT (tenant, user_key) DO NOTHING RETURNING user_key
    )
    SELECT g.user_key, m.user_key IS NOT NULL AS made, k.wrapped_key, k.sealed_name
    FROM given g LEFT JOIN made m ON m.user_key = g.user_key
    LEFT JOIN LATERAL (
        SELECT * FROM user_keys k WHERE k.tenant = $1 AND k.user_key = g.user_key OFFSET 0
    ) k ON true
"""
_FIND = """
    SELECT user_key, wrapped_key, sealed_name FROM user_keys
    WHERE tenant = $1 AND user_key = ANY ($2::bytea[])
"""
_DESTROY = "DELETE FROM user_keys WHERE tenant = $1 AND user_key = ANY ($2::bytea[])"
# A row that is destroyed meanwhile stays so, and one that is made anew keeps its new key.
_REWRAP = """
    UPDATE user_keys k SET wrapped_key = g.wrapped
    FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[])
        AS g (tenant, user_key, before, wrapped)
    WHERE k.tenant = g.tenant AND k.user_key = g.user_key AND k.wrapped_key = g.before
"""
_PAGE = """
    SELECT tenant, user_key, wrapped_key FROM user_keys
    WHERE (tenant, user_key) > ($1, $2) ORDER BY tenant, user_key LIMIT $3
"""
_CHANGED = "UPDATE vault SET changes = changes + 1"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """The key of a user, wrapped, and the user's id, sealed by it."""

    wrapped: bytes
    sealed_name: bytes


class UserKeys:
    """Keys by tenant and stored key of a user. All methods may raise StoreUnavailableError."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """`pool`: of the schema SCHEMA, in its own role."""
        self._pool = pool

    async def create(self, tenant: str, keys: dict[bytes, StoredKey]) -> dict[bytes, StoredKey]:
        """Add keys of users who have none; return what each of them has now, by user."""
        async with session(self._pool) as connection:
            rows = await connection.fetch(
                _CREATE,
                tenant,
                list(keys),
                [key.wrapped for key in keys.values()],
                [key.sealed_name for key in keys.values()],
            )
        found, unseen = {}, []
        for user_key, made, wrapped, sealed_name in rows:
            if made:
                found[user_key] = keys[user_key]
            elif wrapped is not None:
                found[user_key] = StoredKey(wrapped, sealed_name)
            else:
                # Somebody else's, committed while ours went on.
                unseen.append(user_key)
        return {**found, **(await self.find(tenant, unseen) if unseen else {})}

    async def find(self, tenant: str, user_keys: Collection[bytes]) -> dict[bytes, StoredKey]:
        """Return the keys of those users who have one."""
        async with session(self._pool) as connection:
            rows = await connection.fetch(_FIND, tenant, list(user_keys))
        return {row["user_key"]: StoredKey(row["wrapped_key"], row["sealed_name"]) for row in rows}

    async def destroy(self, tenant: str, user_keys: Sequence[bytes]) -> int:
        """Delete the keys of users: nothing that was sealed with them can be read again, and within
        a second no process goes on with one that it holds. Return how many there were. May be
        repeated.
        """
        async with session(self._pool) as connection, connection.transaction():
            done: str = await connection.execute(_DESTROY, tenant, list(user_keys))
            await connection.execute(_CHANGED)
        return int(done.rpartition(" ")[2])

    async def page(self, after: tuple[str, bytes], count: int) -> list[tuple[str, bytes, bytes]]:
        """Return up to `count` keys that follow one of a tenant and user, in this order: tenant,
        user, wrapped key.
        """
        async with session(self._pool) as connection:
            return [tuple(row) for row in await connection.fetch(_PAGE, *after, count)]

    async def rewrap(self, keys: Sequence[tuple[str, bytes, bytes, bytes]]) -> None:
        """Replace wrapped keys, given tenant, user, what is replaced and by what."""
        async with session(self._pool) as connection:
            await connection.execute(_REWRAP, *map(list, zip(*keys, strict=True)))

    async def rewrapped(self, probe: bytes) -> None:
        """Say that keys were wrapped anew, and keep a key of nobody, wrapped so, to check with."""
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute("UPDATE vault SET probe = $1", probe)
            await connection.execute(_CHANGED)

    async def changes(self) -> int:
        """Return how often keys were destroyed or wrapped anew."""
        async with session(self._pool) as connection:
            row = await one_row(connection, "SELECT changes FROM vault")
        changes: int = row["changes"]
        return changes
