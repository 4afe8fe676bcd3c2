"""All vectors of a generation, some at a time."""

from collections.abc import AsyncIterator

import asyncpg
import numpy as np

from services.common.arrays import Float32s
from services.common.consent import Purpose
from services.common.database import session

_BATCH = 2048
"""Rows at a time: some milliseconds, and half a megabyte of vectors."""
# As reads of one profile have it: what was set goes before what was learned, and what was learned
# is of nobody without history. A batch is found first and then looked up row by row, also before
# tables were first analysed: otherwise all of them would be joined for each batch.
# Whom personalisation is denied, nobody finds; nor who is somebody else.
_ALLOWED = f"""
    NOT EXISTS (
        SELECT FROM user_links l WHERE l.tenant = $1 AND l.from_key = batch.user_key
            AND l.into_key IS NOT NULL OFFSET 0
    ) AND NOT EXISTS (
        SELECT FROM user_links l JOIN attributes a ON a.tenant = $1 AND a.user_key = l.from_key
        WHERE l.tenant = $1 AND l.into_key = batch.user_key
            AND a.denied & {Purpose.PERSONALISATION:d} > 0 OFFSET 0
    ) AND CASE WHEN $4 THEN EXISTS (
        SELECT FROM attributes a WHERE a.tenant = $1 AND a.user_key = batch.user_key
            AND a.granted & {Purpose.PERSONALISATION:d} > 0 OFFSET 0
    ) ELSE NOT EXISTS (
        SELECT FROM attributes a WHERE a.tenant = $1 AND a.user_key = batch.user_key
            AND a.denied & {Purpose.PERSONALISATION:d} > 0 OFFSET 0
    ) END
"""
_LEARNED = f"""
    WITH batch AS MATERIALIZED (
        SELECT user_key, vector FROM learned_vectors
        WHERE tenant = $1 AND generation_id = $2 AND user_key > $3
        ORDER BY user_key LIMIT {_BATCH}
    )
    SELECT user_key, CASE WHEN EXISTS (
            SELECT FROM histories h WHERE h.tenant = $1 AND h.user_key = batch.user_key OFFSET 0
        ) AND NOT EXISTS (
            SELECT FROM set_vectors p WHERE p.tenant = $1 AND p.user_key = batch.user_key OFFSET 0
        ) AND {_ALLOWED} THEN vector END AS vector
    FROM batch ORDER BY user_key
"""
_SET = f"""
    WITH batch AS MATERIALIZED (
        SELECT user_key, vector FROM set_vectors
        WHERE tenant = $1 AND generation_id = $2 AND user_key > $3
        ORDER BY user_key LIMIT {_BATCH}
    )
    SELECT user_key, CASE WHEN {_ALLOWED} THEN vector END AS vector FROM batch ORDER BY user_key
"""


class VectorScan:
    """Reads vectors batch by batch; each is as of its own moment."""

    def __init__(self, pool: asyncpg.Pool, denied_by_default: Purpose) -> None:
        """`denied_by_default`: purposes that have to be granted."""
        self._pool = pool
        self._to_be_granted = bool(denied_by_default & Purpose.PERSONALISATION)

    async def batches(
        self, tenant: str, generation_id: str, dimension: int
    ) -> AsyncIterator[tuple[list[bytes], Float32s]]:
        """Yield user keys and vectors [n, dimension]; whose is set meanwhile may
        come twice, that one last.

        Raises:
            StoreUnavailableError: the store is away.

        """
        for query, kind in ((_LEARNED, np.dtype("<f2")), (_SET, np.dtype("<f4"))):
            after = b""
            while True:
                async with session(self._pool) as connection:
                    rows = await connection.fetch(
                        query, tenant, generation_id, after, self._to_be_granted
                    )
                if not rows:
                    break
                after = rows[-1]["user_key"]
                size = dimension * kind.itemsize
                sound = [row for row in rows if len(row["vector"] or b"") == size]
                values = np.frombuffer(b"".join(row["vector"] for row in sound), kind)
                vectors = values.reshape(len(sound), dimension).astype(np.float32)
                yield [row["user_key"] for row in sound], vectors
                if len(rows) < _BATCH:
                    break
