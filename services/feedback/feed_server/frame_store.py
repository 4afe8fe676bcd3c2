"""Frames and checkpoints in PostgreSQL, for whoever serves or loads them."""

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg

from harken.internal.feed.v1 import frame_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection, one_row, session, store_faults
from services.feed.progress import Applied
from services.feedback.log.epochs import read_forks
from services.feedback.log.log_store import SHARD, LogRow, read_entries, read_log

FRAME_CHANNEL = "feedback_frames"
PAGE_FRAMES = 256
_PAGE_BYTES = 4 * 1024 * 1024
PIN_SECONDS = 120.0
RETENTION_TURN = "retention"
"""Whoever pins shares this turn, whoever forgets has it alone."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest committed point of the feed, and where earlier epochs ended."""

    epoch: int
    version: int
    sequence: int
    forks: dict[int, int]


@dataclass(frozen=True, slots=True)
class CommittedFrame:
    """A frame as it is stored: `content` is a serialised Frame, which takes far more parsed."""

    epoch: int
    version: int
    through_sequence: int
    content: bytes

    def parsed(self) -> frame_pb2.Frame:
        """Return the message."""
        return frame_pb2.Frame.FromString(self.content)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint."""

    applied: Applied
    chunks: int


class SnapshotPin:
    """Keeps a checkpoint, and the frames after it, while a subscriber catches up."""

    def __init__(self, pool: asyncpg.Pool, pin: uuid.UUID, checkpoint: Checkpoint) -> None:
        self._pool = pool
        self._pin = pin
        self.checkpoint = checkpoint
        self._renewed_at = time.monotonic()
        self._released = False

    async def renew(self) -> None:
        """Say that it is still needed; costs nothing when that was said lately."""
        if time.monotonic() - self._renewed_at < PIN_SECONDS / 3:
            return
        self._renewed_at = time.monotonic()
        with store_faults():
            await self._pool.execute(
                "UPDATE snapshot_pins SET expires_at = now() + make_interval(secs => $2)"
                " WHERE pin = $1",
                self._pin,
                PIN_SECONDS,
            )

    async def release(self) -> None:
        """End it; a second time costs nothing."""
        if self._released:
            return
        self._released = True
        with store_faults():
            await self._pool.execute("DELETE FROM snapshot_pins WHERE pin = $1", self._pin)


class FrameStore:
    """Reads the feed as committed."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def head(self) -> Head:
        """Return the newest committed point."""
        async with session(self._pool) as connection:
            row = await one_row(
                connection,
                "SELECT s.epoch, l.version, l.sequence FROM shards s"
                " JOIN learners l USING (shard) WHERE s.shard = $1",
                SHARD,
            )
            forks = await read_forks(connection)
        return Head(row["epoch"], row["version"], row["sequence"], forks)

    async def frames_after(self, version: int) -> list[CommittedFrame]:
        """Return the next frames after a version, a page of them; gaps end the page.

        An empty list means that the frame after `version` is not there: not yet, or no more.
        """
        with store_faults():
            rows = await self._pool.fetch(
                "SELECT epoch, version, through_sequence, frame FROM ("
                "  SELECT epoch, version, through_sequence, frame,"
                "    sum(length(frame)) OVER (ORDER BY version) AS size"
                "  FROM (SELECT epoch, version, through_sequence, frame FROM frames"
                "        WHERE shard = $1 AND version > $2 ORDER BY version LIMIT $3) page"
                ") sized WHERE size <= $4 OR version = $2 + 1 ORDER BY version",
                SHARD,
                version,
                PAGE_FRAMES,
                _PAGE_BYTES,
            )
        frames = []
        for row in rows:
            if row["version"] != version + 1:
                break
            frames.append(CommittedFrame(*row))
            version += 1
        return frames

    async def slates(self, sequences: Sequence[int]) -> dict[int, entry_pb2.LoggedSlate]:
        """Return the slates that frames and checkpoints name, by their sequence in the log.

        One that was since dropped from the log is missing.
        """
        if not sequences:
            return {}
        async with session(self._pool) as connection:
            rows = await read_entries(connection, sequences)
        entries = ((row.sequence, entry_pb2.Entry.FromString(row.entry)) for row in rows)
        # Of an erased user the log has a tick instead.
        return {sequence: entry.slate for sequence, entry in entries if entry.HasField("slate")}

    async def point_at(self, version: int) -> Applied | None:
        """Return the point of a version, as it was committed; None when it is too old to tell."""
        with store_faults():
            row = await self._pool.fetchrow(
                "SELECT epoch, through_sequence FROM frames WHERE shard = $1 AND version = $2"
                " UNION ALL SELECT epoch, through_sequence FROM checkpoints"
                " WHERE shard = $1 AND version = $2 LIMIT 1",
                SHARD,
                version,
            )
        return None if row is None else Applied(row["epoch"], version, row["through_sequence"])

    async def log_after(self, sequence: int, until: int, limit: int) -> list[LogRow]:
        """Return up to `limit` entries of the log after a sequence, none beyond `until`."""
        async with session(self._pool) as connection:
            rows = await read_log(connection, sequence, limit)
        return [row for row in rows if row.sequence <= until]

    async def _newest_checkpoint(self, connection: Connection) -> Checkpoint | None:
        with store_faults():
            row = await connection.fetchrow(
                "SELECT epoch, version, through_sequence, chunks FROM checkpoints"
                " WHERE shard = $1 ORDER BY version DESC LIMIT 1",
                SHARD,
            )
        if row is None:
            return None
        return Checkpoint(
            Applied(row["epoch"], row["version"], row["through_sequence"]), row["chunks"]
        )

    async def checkpoint_chunks(self, checkpoint: Checkpoint) -> AsyncIterator[frame_pb2.Frame]:
        """Yield the content of a checkpoint, chunk by chunk."""
        for chunk in range(checkpoint.chunks):
            with store_faults():
                content = await self._pool.fetchval(
                    "SELECT content FROM checkpoint_chunks"
                    " WHERE shard = $1 AND version = $2 AND chunk = $3",
                    SHARD,
                    checkpoint.applied.version,
                    chunk,
                )
            if content is None:
                raise LookupError(f"checkpoint {checkpoint.applied.version} is gone")
            yield frame_pb2.Frame.FromString(content)

    async def pin_newest(self) -> "SnapshotPin | None":
        """Keep the newest checkpoint, and the frames after it, until the pin is released.

        None when there is no checkpoint yet.
        """
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute("SELECT take_turn($1, true)", RETENTION_TURN)
            checkpoint = await self._newest_checkpoint(connection)
            if checkpoint is None:
                return None
            pin = uuid.uuid4()
            await connection.execute(
                "INSERT INTO snapshot_pins (pin, shard, version, expires_at)"
                " VALUES ($1, $2, $3, now() + make_interval(secs => $4))",
                pin,
                SHARD,
                checkpoint.applied.version,
                PIN_SECONDS,
            )
        return SnapshotPin(self._pool, pin, checkpoint)
