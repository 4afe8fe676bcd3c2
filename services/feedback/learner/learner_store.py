"""What the learner writes: its term, steps, checkpoints, and what it may forget."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from services.common.database import Connection, KeptSession, one_row, session, store_faults
from services.common.logs import logger
from services.feed.progress import Applied
from services.feedback.feed_server.frame_store import FRAME_CHANNEL, RETENTION_TURN
from services.feedback.log.log_store import SHARD, LogRow, NewEntry, append_entries, read_log

_RING, _RING_VERSIONS = 8, 4096
"""Tables that frames live in by turns, and how many versions each takes before the next one."""
_FRAMES = [f"frames_{number}" for number in range(_RING)]
_CHUNKS = [f"checkpoint_chunks_{number}" for number in range(3)]
_SLATES = [f"log_slates_{number}" for number in range(6)]
_PATIENCE_SECONDS = 60.0
"""What was emptied is gone also for who has an older snapshot, unlike deleted rows. pg_dump takes
its snapshot a moment before it locks the tables."""
_EMPTYING = "SET LOCAL lock_timeout = '100ms'"
_log = logger("learner_store")
_COMMIT = [
    f"""
    WITH moved AS (
        UPDATE learners SET version = $5, sequence = $6, heartbeat_at = clock_timestamp()
        WHERE shard = $1 AND term = $2 AND version = $3 AND sequence = $4
        AND (SELECT epoch FROM shards WHERE shard = $1) = $7
        RETURNING shard
    ), written AS (
        INSERT INTO {table} (shard, version, epoch, through_sequence, frame)
        SELECT shard, $5, $7, $6, $8 FROM moved RETURNING 1
    ) SELECT pg_notify($9, ($5)::text)::text FROM written
    """
    for table in _FRAMES
]

_HEARTBEAT = """
    WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS commits)
    UPDATE learners SET heartbeat_at = clock_timestamp()
    WHERE shard = $1 AND term = $2 AND (SELECT commits FROM relaxed) = 'off' RETURNING 1
"""
"""A lost heartbeat does no harm: no need to wait for the disk. The setting ends with the statement,
which is a transaction."""


class FencedError(Exception):
    """Another learner has a newer term; nothing was written."""


@dataclass(frozen=True, slots=True)
class LastCheckpoint:
    """The newest checkpoint: age in seconds, its bytes, and those of the frames after it."""

    version: int = 0
    age: float = math.inf
    size: int = 0
    since: int = 0


class LearnerStore:
    """Writes on behalf of one holder. All writes are conditional on its term."""

    def __init__(
        self, pool: asyncpg.Pool, holder: str, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        """`patience_seconds`: how long a table is not needed any more before it is emptied."""
        self._pool = pool
        self.holder = holder
        self._patience_seconds = patience_seconds
        self._not_needed: dict[str, tuple[int, float]] = {}
        self._steps = KeptSession(pool)

    async def heartbeat(self, term: int) -> None:
        """Say that we are alive, as every step that is committed does. Raises FencedError."""
        async with session(self._pool) as connection:
            alive = await connection.fetchval(_HEARTBEAT, SHARD, term)
        if alive is None:
            raise FencedError(f"term {term} is over")

    async def resign(self, term: int) -> None:
        """Say that nobody leads, so that whoever stands by does at once."""
        with store_faults():
            await self._pool.execute(
                "UPDATE learners SET holder = '' WHERE shard = $1 AND term = $2", SHARD, term
            )

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
                _COMMIT[_ring(after.version)],
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

    async def last_checkpoint(self) -> LastCheckpoint:
        """Return where the newest checkpoint is."""
        with store_faults():
            row = await self._pool.fetchrow(
                "SELECT version,"
                " greatest(0, extract(epoch FROM clock_timestamp() - written_at))::float8 AS age,"
                " (SELECT coalesce(sum(octet_length(content)), 0) FROM checkpoint_chunks c"
                "  WHERE c.shard = p.shard AND c.version = p.version)::bigint AS size,"
                " (SELECT coalesce(sum(octet_length(frame)), 0) FROM frames f"
                "  WHERE f.shard = p.shard AND f.version > p.version)::bigint AS since"
                " FROM checkpoints p WHERE shard = $1 ORDER BY version DESC LIMIT 1",
                SHARD,
            )
        return LastCheckpoint() if row is None else LastCheckpoint(*row)

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
            free = [
                table
                for table in _CHUNKS
                if not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})")
            ]
            await connection.copy_records_to_table(
                # In the parent while several checkpoints are being read.
                free[0] if free else "checkpoint_chunks",
                records=[(SHARD, at.version, index, chunk) for index, chunk in enumerate(chunks)],
                columns=["shard", "version", "chunk", "content"],
            )

    async def forget(self, keep_versions: int) -> int:
        """Delete frames and checkpoints that nobody needs; return how many frames went.

        Kept: the newest checkpoint and what follows it, the last `keep_versions` frames (and up to
        as many before them, at most 4,096), and what is pinned.
        """
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute("SELECT take_turn($1)", RETENTION_TURN)
            await connection.execute("DELETE FROM snapshot_pins WHERE expires_at < now()")
            oldest: int = await connection.fetchval(
                "SELECT least("
                " coalesce((SELECT max(version) FROM checkpoints WHERE shard = $1), 0),"
                " (SELECT version - $2 FROM learners WHERE shard = $1),"
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
            gone = _count(
                await connection.execute(
                    "DELETE FROM ONLY frames WHERE shard = $1 AND version < $2", SHARD, oldest
                )
            )
        slack = min(keep_versions, _RING_VERSIONS)
        for table in _FRAMES:
            gone += await self._forget_frames(table, oldest, slack)
        for table in _CHUNKS:
            await self._forget_chunks(table)
        return gone

    async def forget_slates(self, days: int) -> None:
        """Drop logged slates that are older, those of about a month at once.

        Nothing is dropped that the newest checkpoint does not reflect: the learner reads slates
        from the log.
        """
        async with session(self._pool) as connection:
            for table in _SLATES:
                old = await connection.fetchval(
                    "SELECT l.accepted_at < clock_timestamp() - make_interval(days => $2)"
                    " AND l.sequence <= (SELECT max(through_sequence) FROM checkpoints"
                    f"  WHERE shard = $1) FROM {table} l WHERE shard = $1"
                    " ORDER BY sequence DESC LIMIT 1",
                    SHARD,
                    days,
                )
                if old and await _emptied(connection, table):
                    _log.info("slates dropped", table=table)

    async def _forget_frames(self, table: str, oldest: int, slack: int) -> int:
        """Empty a table whose frames are all forgotten; return how many went.

        Of one that has others, too, up to `slack` that are forgotten wait until all are.
        """
        async with session(self._pool) as connection:
            row = await one_row(
                connection,
                f"SELECT min(version) AS first, max(version) AS last FROM {table} WHERE shard = $1",
                SHARD,
            )
            first, last = row["first"], row["last"]
            if first is None or (last >= oldest and oldest - first <= slack):
                return 0
            if last < oldest:
                if not self._is_long_not_needed(table, last):
                    return 0
                count: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
                if await _emptied(connection, table):
                    return count
            return _count(
                await connection.execute(
                    f"DELETE FROM {table} WHERE shard = $1 AND version < $2", SHARD, oldest
                )
            )

    async def _forget_chunks(self, table: str) -> None:
        """Empty a table of chunks that are of no checkpoint any more."""
        async with session(self._pool) as connection:
            last, needed = await one_row(
                connection,
                f"SELECT (SELECT max(version) FROM {table}), EXISTS ("
                f" SELECT FROM checkpoints p WHERE EXISTS (SELECT FROM {table} c"
                "  WHERE c.shard = p.shard AND c.version = p.version))",
            )
            if last is None or needed or not self._is_long_not_needed(table, last):
                return
            if not await _emptied(connection, table):
                await connection.execute(f"DELETE FROM {table}")

    def _is_long_not_needed(self, table: str, last: int) -> bool:
        """Return whether a table that is not needed was so for long; `last` version in it."""
        now = time.monotonic()
        version, since = self._not_needed.get(table, (None, now))
        if version != last:
            since = now
            self._not_needed[table] = last, since
        return now - since >= self._patience_seconds


def _ring(version: int) -> int:
    """Return the number of the table that a version lives in."""
    return version // _RING_VERSIONS % _RING


async def _emptied(connection: Connection, table: str) -> bool:
    """Empty a table, unless somebody holds it, such as a backup: who waits for it waits for us."""
    try:
        async with connection.transaction():
            await connection.execute(_EMPTYING)
            await connection.execute(f"TRUNCATE ONLY {table}")
    except asyncpg.LockNotAvailableError:
        return False
    return True


def _count(tag: str) -> int:
    """Return how many rows a command says that it changed."""
    return int(tag.rpartition(" ")[2])
