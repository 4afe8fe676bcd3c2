"""The table of users' keys, wrapped."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import asyncpg

from services.common.database import one_row, session
from services.common.errors import StoreUnavailableError

SCHEMA = "keys"

_CREATE = """
    SELECT a_user_key, a_wrapped_key, a_sealed_name, is_new
    FROM create_user_keys($1, $2, $3, $4, $5)
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

    async def create(
        self, tenant: str, keys: dict[bytes, StoredKey], version: int
    ) -> tuple[dict[bytes, StoredKey], int]:
        """Add keys of users who have none, wrapped by a version of the master key; return what each
        of them has now, by user, and how many are new.

        Raises:
            StoreUnavailableError: also when that version was retired; nothing was added.

        """
        try:
            async with session(self._pool) as connection:
                rows = await connection.fetch(
                    _CREATE,
                    tenant,
                    list(keys),
                    [key.wrapped for key in keys.values()],
                    [key.sealed_name for key in keys.values()],
                    version,
                )
        except asyncpg.ObjectNotInPrerequisiteStateError:
            raise StoreUnavailableError(
                f"version {version} of the master key was retired: its file is read anew soon"
            ) from None
        found = {user_key: StoredKey(wrapped, name) for user_key, wrapped, name, _ in rows}
        return found, sum(row["is_new"] for row in rows)

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

    async def retire(self, version: int) -> int:
        """Let nobody wrap anything new by a version of the master key or an earlier one; return how
        many keys it wraps still.
        """
        async with session(self._pool) as connection:
            left: int = await connection.fetchval("SELECT retire_master_key($1)", version)
        return left

    async def changes(self) -> int:
        """Return how often keys were destroyed or wrapped anew."""
        async with session(self._pool) as connection:
            row = await one_row(connection, "SELECT changes FROM vault")
        changes: int = row["changes"]
        return changes
