"""What finishes erasures: the search for entries of erased users, and the scrubbing of copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from harken.internal.log.v1 import entry_pb2
from harken.profile.v1 import erasure_pb2
from services.common.database import Connection, session, vacuum
from services.feedback.feed_server.frame_store import RETENTION_TURN
from services.feedback.log.late_entries import TICK
from services.feedback.log.log_store import SHARD, NewEntry, append_entries
from services.feedback.user_log.erasure_store import keep_receipts

SEARCH_ENTRIES = 100_000
"""Looked through in one transaction, for all erasures that are searched: about a tenth of a second.
"""
_SCRUBBED_AT_ONCE = 5_000
# The search shares each stretch of the log among all erasures that did not get there yet. An index
# by user would cost every append.
_SEARCHED = """
    SELECT erasure_id, sequence, searched_through FROM erasures
    WHERE scrubbed_at IS NULL AND unlearn_sequence IS NULL ORDER BY sequence
"""
_FIND = """
    INSERT INTO erased_rows (erasure_id, sequence, stands)
    SELECT e.erasure_id, l.sequence, substr(l.entry, 1, 1) = '\\x0a' AND NOT EXISTS (
        SELECT FROM retractions r WHERE r.shard = l.shard AND r.event_sequence = l.sequence
            AND r.sequence < e.sequence
    )
    FROM log l JOIN erasures e ON e.tenant = l.tenant AND e.tombstone = sha256(l.user_key)
    WHERE l.shard = $1 AND l.sequence > $2 AND l.sequence <= $3 AND l.user_key IS NOT NULL
        AND l.sequence > e.searched_through AND l.sequence < e.sequence
        AND e.erasure_id = ANY ($4::text[])
    ON CONFLICT DO NOTHING
"""
_MOVE = """
    UPDATE erasures SET searched_through = greatest(searched_through, $2)
    WHERE erasure_id = ANY ($1::text[])
"""
_FOUND = """
    SELECT e.erasure_id, e.tenant, e.tombstone, e.erased_at_us, e.sequence,
        (SELECT coalesce(array_agg(r.sequence ORDER BY r.sequence), '{}') FROM erased_rows r
            WHERE r.erasure_id = e.erasure_id AND r.stands) AS events
    FROM erasures e
    WHERE scrubbed_at IS NULL AND unlearn_sequence IS NULL AND searched_through >= sequence
    ORDER BY e.sequence LIMIT 100 FOR NO KEY UPDATE OF e
"""
_UNLEARNING = """
    UPDATE erasures e SET unlearn_sequence = u.sequence
    FROM unnest($1::text[], $2::bigint[]) AS u (erasure_id, sequence)
    WHERE e.erasure_id = u.erasure_id
"""
_UNLEARNED = """
    SELECT e.erasure_id, e.tenant, e.tombstone, e.erased_at_us, e.sequence, e.unlearn_sequence
    FROM erasures e JOIN learners l ON l.shard = e.shard AND l.sequence >= e.unlearn_sequence
    WHERE e.scrubbed_at IS NULL ORDER BY e.sequence LIMIT 1000
"""
_ROWS = """
    SELECT l.sequence, l.tenant, l.entry FROM log l
    WHERE l.shard = $1 AND l.sequence = ANY ($2::bigint[])
"""
_REPLACE = "UPDATE log SET entry = $3, user_key = NULL WHERE shard = $1 AND sequence = ANY ($2)"
_FORGET_IDS = """
    DELETE FROM event_ids e USING unnest($1::text[], $2::text[], $3::bigint[])
        AS i (tenant, event_id, sequence)
    WHERE e.tenant = i.tenant AND e.event_id = i.event_id AND e.sequence = i.sequence
"""
_FORGET_RETRACTIONS = """
    DELETE FROM retractions WHERE shard = $1
        AND (event_sequence = ANY ($2::bigint[]) OR sequence = ANY ($2::bigint[]))
"""
_OF_USERS = """
    SELECT k.tenant, k.tombstone, k.erased_at_us
    FROM unnest($1::text[], $2::bytea[], $3::bigint[]) AS k (tenant, tombstone, erased_at_us)
"""
_FORGET_QUARANTINE = f"""
    DELETE FROM quarantine q USING ({_OF_USERS}) k
    WHERE q.tenant = k.tenant AND sha256(q.user_key) = k.tombstone
        AND q.quarantined_at <= to_timestamp(k.erased_at_us / 1e6)
"""
_FORGET_REVISIONS = f"""
    DELETE FROM user_fact_revisions r USING ({_OF_USERS}) k
    WHERE r.tenant = k.tenant AND sha256(r.user_key) = k.tombstone AND r.revision <= k.erased_at_us
"""
_FORGET_LINKS = f"""
    DELETE FROM user_links l USING ({_OF_USERS}) k
    WHERE l.tenant = k.tenant AND k.tombstone IN (sha256(l.from_key), sha256(l.into_key))
        AND l.revision <= k.erased_at_us
"""
_FORGET_CHECKPOINTS = """
    DELETE FROM checkpoints WHERE shard = $1 AND through_sequence < $2
        AND version < (SELECT max(version) FROM checkpoints WHERE shard = $1)
        AND version NOT IN (SELECT version FROM snapshot_pins WHERE expires_at >= now())
"""
_FORGET_CHUNKS = """
    DELETE FROM checkpoint_chunks c WHERE NOT EXISTS (
        SELECT FROM checkpoints p WHERE p.shard = c.shard AND p.version = c.version
    )
"""
# What leads up to a checkpoint that is still needed stays, and is looked at again.
_FORGET_FRAMES = """
    DELETE FROM frames WHERE shard = $1 AND through_sequence <= $2
        AND version <= (SELECT min(version) FROM checkpoints WHERE shard = $1)
"""
_LEFT = """
    SELECT EXISTS (SELECT FROM checkpoints WHERE shard = $1 AND through_sequence < $2)
        OR EXISTS (SELECT FROM frames WHERE shard = $1 AND through_sequence <= $2)
"""
_CHECKPOINTED = "SELECT max(through_sequence) FROM checkpoints WHERE shard = $1"
_DONE = """
    UPDATE erasures SET scrubbed_at = clock_timestamp() WHERE erasure_id = ANY ($1::text[])
"""
_VACUUMED = (
    "log", *(f"log_slates_{number}" for number in range(6)), "event_ids", "retractions",
    "quarantine", "user_fact_revisions", "user_links", "erased_rows",
    "checkpoints", "checkpoint_chunks",
    *(f"checkpoint_chunks_{number}" for number in range(3)), "frames",
    *(f"frames_{number}" for number in range(8)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunningErasure:
    """An erasure that the learner passed: it is to be scrubbed."""

    erasure_id: str
    tenant: str
    tombstone: bytes
    erased_at_us: int
    sequence: int
    unlearn_sequence: int


class EraserStore:
    """Searches and scrubs, in transactions of bounded size that may be repeated."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def search(self) -> bool:
        """Look through the next stretch of the log; return whether more is to be looked through.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection, connection.transaction():
            wanted = [
                row
                for row in await connection.fetch(_SEARCHED)
                if row["searched_through"] < row["sequence"]
            ]
            if not wanted:
                return False
            start = min(row["searched_through"] for row in wanted)
            end = start + SEARCH_ENTRIES
            own = [row["erasure_id"] for row in wanted]
            # No tables of millions of rows are hashed for a few users: by the index of the ledger.
            await connection.execute(_FIND, SHARD, start, end, own)
            await connection.execute(_MOVE, own, end)
            return True

    async def begin_unlearning(self) -> int:
        """Have the learner take back what users taught whose entries were all found; return of how
        many.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection, connection.transaction():
            found = await connection.fetch(_FOUND)
            if not found:
                return 0
            entries = [
                NewEntry(row["tenant"], None, _entry(row, row["events"]).SerializeToString())
                for row in found
            ]
            last = await append_entries(connection, entries)
            sequences = list(range(last.sequence - len(entries) + 1, last.sequence + 1))
            await connection.execute(_UNLEARNING, [row["erasure_id"] for row in found], sequences)
            return len(found)

    async def unlearned(self) -> list[RunningErasure]:
        """Return erasures that the learner passed and that are not scrubbed yet, in log order."""
        async with session(self._pool) as connection:
            return [RunningErasure(*row) for row in await connection.fetch(_UNLEARNED)]

    async def checkpointed(self) -> int:
        """Return the sequence that the newest checkpoint reflects."""
        async with session(self._pool) as connection:
            return await connection.fetchval(_CHECKPOINTED, SHARD) or 0

    async def scrub(self, erasures: Sequence[RunningErasure]) -> Mapping[str, Mapping[str, int]]:
        """Take users out of log, event ids, quarantine; return what was deleted, by erasure.

        It may be repeated after a crash: what is done already counts again, as found.
        """
        counts = {}
        for erasure in erasures:
            counts[erasure.erasure_id] = await self._scrub_log(erasure)
        users = (
            [one.tenant for one in erasures], [one.tombstone for one in erasures],
            [one.erased_at_us for one in erasures],
        )  # fmt: skip
        async with session(self._pool) as connection:
            await connection.execute(_FORGET_QUARANTINE, *users)
            await connection.execute(_FORGET_REVISIONS, *users)
            await connection.execute(_FORGET_LINKS, *users)
        return counts

    async def _scrub_log(self, erasure: RunningErasure) -> Mapping[str, int]:
        async with session(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT sequence, stands FROM erased_rows WHERE erasure_id = $1 ORDER BY sequence",
                erasure.erasure_id,
            )
            for start in range(0, len(rows), _SCRUBBED_AT_ONCE):
                part = [row["sequence"] for row in rows[start : start + _SCRUBBED_AT_ONCE]]
                async with connection.transaction():
                    await _scrub_rows(connection, part)
            # Last: what is found by them is found again after a crash.
            async with connection.transaction():
                for sequence, unlearn in ((erasure.sequence, False),
                                          (erasure.unlearn_sequence, True)):  # fmt: skip
                    logged = entry_pb2.UserErased(
                        erasure_id=erasure.erasure_id, tombstone=erasure.tombstone,
                        erased_at_us=erasure.erased_at_us, unlearn=unlearn,
                    )  # fmt: skip
                    await connection.execute(
                        "UPDATE log SET entry = $3 WHERE shard = $1 AND sequence = $2",
                        SHARD, sequence, entry_pb2.Entry(user_erased=logged).SerializeToString(),
                    )  # fmt: skip
        return {"entries": len(rows), "events": sum(row["stands"] for row in rows)}

    async def forget_copies(self, through: int) -> bool:
        """Delete checkpoints and frames that reflect the log up to a sequence, but for the newest
        checkpoint; return whether none is left, as some may be read just now.
        """
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute("SELECT take_turn($1)", RETENTION_TURN)
            await connection.execute(_FORGET_CHECKPOINTS, SHARD, through)
            await connection.execute(_FORGET_CHUNKS)
            await connection.execute(_FORGET_FRAMES, SHARD, through)
            return not await connection.fetchval(_LEFT, SHARD, through)

    async def vacuum(self) -> None:
        """Free what the rows that went took in their pages, statistics included."""
        await vacuum(self._pool, _VACUUMED)

    async def done(
        self, erasure_ids: Sequence[str], receipts: Sequence[erasure_pb2.ErasureReceipt]
    ) -> None:
        """Note that erasures are done, with receipts of that."""
        async with session(self._pool) as connection, connection.transaction():
            await keep_receipts(connection, receipts)
            await connection.execute(_DONE, list(erasure_ids))

    async def keep(self, receipts: Sequence[erasure_pb2.ErasureReceipt]) -> None:
        """Keep receipts."""
        async with session(self._pool) as connection:
            await keep_receipts(connection, receipts)


def _entry(row: asyncpg.Record, events: Sequence[int]) -> entry_pb2.Entry:
    logged = entry_pb2.UserErased(
        erasure_id=row["erasure_id"],
        tombstone=row["tombstone"],
        erased_at_us=row["erased_at_us"],
        unlearn=True,
        event_sequences=events,
    )
    return entry_pb2.Entry(user_erased=logged)


async def _scrub_rows(connection: Connection, sequences: Sequence[int]) -> None:
    """Put ticks in the place of entries, and forget the ids of those that were events."""
    ids = []
    for row in await connection.fetch(_ROWS, SHARD, list(sequences)):
        entry = entry_pb2.Entry.FromString(row["entry"])
        if entry.HasField("event"):
            ids.append((row["tenant"], entry.event.event_id, row["sequence"]))
    if ids:
        await connection.execute(_FORGET_IDS, *(list(column) for column in zip(*ids, strict=True)))
    await connection.execute(_REPLACE, SHARD, list(sequences), TICK)
    await connection.execute(_FORGET_RETRACTIONS, SHARD, list(sequences))
