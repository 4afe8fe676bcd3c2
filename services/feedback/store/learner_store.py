"""What the learner writes: its term, steps, checkpoints, and what it may forget."""

import math
from collections.abc import Sequence

import asyncpg

from services.common.database import KeptSession, session, store_faults
from services.common.progress import Applied
from services.feedback.store.frame_store import FRAME_CHANNEL, RETENTION_TURN
from services.feedback.store.log_store import SHARD, LogRow, NewEntry, append_entries, read_log


class FencedError(Exception):
    """Another learner has a newer term; nothing was written."""


class LearnerStore:
    """Writes on behalf of one holder. All writes are conditional on its term."""

    def __init__(self, pool: asyncpg.Pool, holder: str) -> None:
        self._pool = pool
        self.holder = holder
        self._steps = KeptSession(pool)

    async def heartbeat(self, term: int) -> None:
        """Say that we are alive. Raises FencedError."""
        async with session(self._pool) as connection, connection.transaction():
            # A lost heartbeat does no harm: no need to wait for the disk.
            await connection.execute("SET LOCAL synchronous_commit = off")
            alive = await connection.fetchval(
                "UPDATE learners SET heartbeat_at = clock_timestamp()"
                " WHERE shard = $1 AND term = $2 RETURNING 1",
                SHARD,
                term,
            )
        if alive is None:
            raise FencedError(f"term {term} is over")

    async def resign(self, term: int) -> None:
        """Say that nobody leads, so that whoever stands by does at once."""
        with store_faults():
            await self._pool.execute(
                "UPDATE learners SET holder = '' WHERE shard = $1 AND term = $2", SHARD, term
            )

    async def log_head(self) -> int:
        """Return the sequence of the last entry of the log."""
        with store_faults():
            head: int = await self._pool.fetchval("SELECT head FROM shards WHERE shard = $1", SHARD)
        return head

    async def read_log(self, after_sequence: int, limit: int) -> list[LogRow]:
        """Return up to `limit` entries after a sequence, in order. Not beside `commit_step`."""
        async with self._steps as connection:
            return await read_log(connection, after_sequence, limit)

    async def rest(self) -> None:
        """Give back what reading and committing steps keeps."""
        await self._steps.release()

    async def commit_step(self, term: int, before: Applied, after: Applied, frame: bytes) -> None:
        """Commit a frame and the input position together.

        Raises:
            FencedError: the term is over, the position is not `before`, or another epoch began;
                nothing was written.
            StoreUnavailableError: unknown whether it was written; load the state again.

        """
        async with self._steps as connection:
            done = await connection.fetchval(
                "WITH moved AS ("
                "  UPDATE learners SET version = $5, sequence = $6,"
                "  heartbeat_at = clock_timestamp()"
                "  WHERE shard = $1 AND term = $2 AND version = $3 AND sequence = $4"
                "  AND (SELECT epoch FROM shards WHERE shard = $1) = $7"
                "  RETURNING shard"
                "), written AS ("
                "  INSERT INTO frames (shard, version, epoch, through_sequence, frame)"
                "  SELECT shard, $5, $7, $6, $8 FROM moved RETURNING 1"
                ") SELECT pg_notify($9, ($5)::text)::text FROM written",
                SHARD,
                term,
                before.version,
                before.sequence,
                after.version,
                after.sequence,
                after.epoch,
                frame,
                FRAME_CHANNEL,
            )
        if done is None:
            raise FencedError(f"term {term} is over")

    async def append_tick(self, term: int, tick: NewEntry) -> None:
        """Log that time went by. Raises FencedError."""
        async with session(self._pool) as connection, connection.transaction():
            leads = await connection.fetchval(
                "SELECT 1 FROM learners WHERE shard = $1 AND term = $2 FOR SHARE", SHARD, term
            )
            if leads is None:
                raise FencedError(f"term {term} is over")
            await append_entries(connection, [tick])

    async def last_checkpoint(self) -> tuple[int, float]:
        """Return version and age, in seconds, of the newest checkpoint; (0, inf): there is none."""
        with store_faults():
            row = await self._pool.fetchrow(
                "SELECT version,"
                " greatest(0, extract(epoch FROM clock_timestamp() - written_at))::float8 AS age"
                " FROM checkpoints WHERE shard = $1 ORDER BY version DESC LIMIT 1",
                SHARD,
            )
        return (0, math.inf) if row is None else (row["version"], row["age"])

    async def write_checkpoint(self, term: int, at: Applied, chunks: Sequence[bytes]) -> None:
        """Write a complete checkpoint. Raises FencedError."""
        async with session(self._pool) as connection, connection.transaction():
            written = await connection.fetchval(
                "INSERT INTO checkpoints (shard, version, epoch, through_sequence, chunks)"
                " SELECT shard, $3, $4, $5, $6 FROM learners WHERE shard = $1 AND term = $2"
                " ON CONFLICT DO NOTHING RETURNING 1",
                SHARD,
                term,
                at.version,
                at.epoch,
                at.sequence,
                len(chunks),
            )
            if written is None:
                raise FencedError(f"term {term} is over, or the checkpoint exists")
            await connection.copy_records_to_table(
                "checkpoint_chunks",
                records=[(SHARD, at.version, index, chunk) for index, chunk in enumerate(chunks)],
                columns=["shard", "version", "chunk", "content"],
            )

    async def forget(self, keep_versions: int) -> int:
        """Delete frames and checkpoints that nobody needs; return how many frames went.

        Kept: the newest checkpoint and what follows it, the last `keep_versions` frames, what a
        durable subscriber has not acked (and the frame it acked last, by which a resume point is
        recognised), and what is pinned.
        """
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute("SELECT take_turn($1)", RETENTION_TURN)
            await connection.execute("DELETE FROM snapshot_pins WHERE expires_at < now()")
            oldest: int = await connection.fetchval(
                "SELECT least("
                " coalesce((SELECT max(version) FROM checkpoints WHERE shard = $1), 0),"
                " (SELECT version - $2 FROM learners WHERE shard = $1),"
                " (SELECT min(acked_version) FROM subscribers WHERE shard = $1),"
                " (SELECT min(version) FROM snapshot_pins WHERE shard = $1))",
                SHARD,
                keep_versions,
            )
            await connection.execute(
                "DELETE FROM checkpoints WHERE shard = $1"
                " AND version < (SELECT max(version) FROM checkpoints WHERE shard = $1)"
                " AND version NOT IN (SELECT version FROM snapshot_pins WHERE shard = $1)",
                SHARD,
            )
            gone = await connection.execute(
                "DELETE FROM frames WHERE shard = $1 AND version < $2", SHARD, oldest
            )
        return int(gone.rpartition(" ")[2])
