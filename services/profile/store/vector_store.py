"""Learned vectors of users: tables that follow from frames."""

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

from services.common.database import session
from services.feed.progress import Applied
from services.profile.domain.changes import UserId
from services.profile.store.columns import columns_of

GenerationName = tuple[str, str]
"""Tenant and generation id."""

# A crash may take the newest vectors and with them the cursor, so that they come again.
_MOVE = """
    UPDATE learned_cursor SET epoch = $3, version = $4, through_sequence = $5
    WHERE shard = 0 AND epoch = $1 AND version = $2
    RETURNING set_config('synchronous_commit', 'off', true)
"""
# Who moves the cursor is alone: rows need no ON CONFLICT, which locks and confirms each of them.
_KEEP = f"""
    WITH moved AS ({_MOVE})
    , told AS MATERIALIZED (
        SELECT k.tenant, k.user_key, k.generation_id, k.vector
        FROM moved, unnest($6::text[], $7::bytea[], $8::text[], $9::bytea[], $14::bigint[])
            AS k (tenant, user_key, generation_id, vector, sequence)
        -- Of before the user was erased: frames and entries come each in their own time, and frames
        -- that were merged say the sequence of the last of them. Who came back has a history.
        WHERE NOT EXISTS (
            SELECT FROM erasures e WHERE e.tenant = k.tenant AND e.tombstone = sha256(k.user_key)
                AND (e.sequence >= k.sequence OR NOT EXISTS (
                    SELECT FROM histories h WHERE h.tenant = k.tenant AND h.user_key = k.user_key
                ))
        )
    ), replaced AS (
        UPDATE learned_vectors v SET generation_id = k.generation_id, vector = k.vector
        FROM told k WHERE v.tenant = k.tenant AND v.user_key = k.user_key
        RETURNING v.tenant, v.user_key
    ), added AS (
        INSERT INTO learned_vectors (tenant, user_key, generation_id, vector)
        SELECT k.* FROM told k WHERE NOT EXISTS (
            SELECT FROM replaced r WHERE r.tenant = k.tenant AND r.user_key = k.user_key
        )
    ), shapes AS (
        INSERT INTO generation_shapes (tenant, generation_id, dimension, max_norm)
        SELECT k.* FROM moved, unnest($10::text[], $11::text[], $12::integer[], $13::real[]) AS k
        ON CONFLICT (tenant, generation_id) DO UPDATE SET
            dimension = excluded.dimension, max_norm = excluded.max_norm
    )
    SELECT 1 FROM moved
"""


class Shape(NamedTuple):
    """What vectors of a generation look like; `max_norm` is None when it is not known."""

    dimension: int
    max_norm: float | None


class LearnedVector(NamedTuple):
    """A vector, float16 little-endian, the generation that it belongs to, and the log sequence that
    it reflects.
    """

    generation_id: str
    vector: bytes
    sequence: int


class VectorStore:
    """Keeps the latest vector of each user."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def load(self) -> tuple[Applied, dict[GenerationName, Shape]]:
        """Return the cursor, and the shapes of the generations seen.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with (
            session(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            cursor = await connection.fetchrow("SELECT * FROM learned_cursor WHERE shard = 0")
            rows = await connection.fetch("SELECT * FROM generation_shapes")
        if cursor is None:
            raise RuntimeError("the cursor of shard 0 is missing")
        shapes = {
            (row["tenant"], row["generation_id"]): Shape(row["dimension"], row["max_norm"])
            for row in rows
        }
        return Applied(cursor["epoch"], cursor["version"], cursor["through_sequence"]), shapes

    async def keep(
        self,
        expected: Applied,
        through: Applied,
        vectors: Mapping[UserId, LearnedVector],
        shapes: Mapping[GenerationName, Shape],
    ) -> bool:
        """Replace vectors and move the cursor, both or neither.

        Return False, having changed nothing, when the cursor is not at `expected`.

        Raises:
            StoreUnavailableError: the store is away. It may be done all the same.

        """
        users = sorted(vectors)
        *columns, sequences = columns_of(5, [(*user, *vectors[user]) for user in users])
        async with session(self._pool) as connection:
            moved = await connection.fetch(
                _KEEP,
                expected.epoch, expected.version,
                through.epoch, through.version, through.sequence,
                *columns,
                *columns_of(4, [(*name, *shape) for name, shape in shapes.items()]),
                sequences,
            )  # fmt: skip
        return bool(moved)
