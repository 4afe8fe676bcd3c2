"""Retractions into the log, each event once."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import asyncpg

from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection, session
from services.common.position import Position
from services.feedback.log.log_store import SHARD, NewEntry, append_entries


class RetractionFate(Enum):
    """What became of a retraction."""

    RETRACTED = "retracted"
    ALREADY = "already"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Retracted:
    """What became of a retraction, and its position in the log unless the event is unknown."""

    fate: RetractionFate
    position: Position | None


_UNKNOWN = Retracted(RetractionFate.UNKNOWN, None)

# Rows are locked in one order, so that two calls cannot wait for each other.
_FIND = """
    SELECT e.event_id, e.sequence, e.retracted_sequence FROM event_ids e
    WHERE e.tenant = $1 AND e.event_id = ANY($2) ORDER BY e.event_id FOR UPDATE
"""
_READ = """
    SELECT sequence, user_key, entry,
        (extract(epoch FROM accepted_at) * 1000000)::bigint AS accepted_at_us
    FROM log WHERE shard = $1 AND sequence = ANY($2)
"""
_MARK = """
    UPDATE event_ids e SET retracted_sequence = r.retracted_sequence
    FROM unnest($2::text[], $3::bigint[]) AS r (event_id, retracted_sequence)
    WHERE e.tenant = $1 AND e.event_id = r.event_id
"""
_REMEMBER = """
    INSERT INTO retractions (shard, event_sequence, sequence)
    SELECT $1, r.event_sequence, r.sequence
    FROM unnest($2::bigint[], $3::bigint[]) AS r (event_sequence, sequence)
"""


class RetractionStore:
    """Appends retractions; the log entry, the mark at the event id and the note for readers of the
    log are one transaction.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def retract(self, tenant: str, event_ids: Sequence[str]) -> list[Retracted]:
        """Return what became of each id, in order; an id named twice is retracted once.

        Raises:
            StoreUnavailableError: unknown whether anything was appended; repeat the call.

        """
        async with session(self._pool) as connection, connection.transaction():
            rows = await connection.fetch(_FIND, tenant, sorted(set(event_ids)))
            known = {row["event_id"]: row for row in rows}
            epoch: int = await connection.fetchval(
                "SELECT epoch FROM shards WHERE shard = $1", SHARD
            )
            done = {
                event_id: Retracted(
                    RetractionFate.ALREADY, Position(SHARD, epoch, row["retracted_sequence"])
                )
                for event_id, row in known.items()
                if row["retracted_sequence"] is not None
            }
            fresh = {
                event_id: row["sequence"] for event_id, row in known.items() if event_id not in done
            }
            if fresh:
                done |= await _append(connection, tenant, fresh)
        answers = []
        for event_id in event_ids:
            answers.append(done.get(event_id, _UNKNOWN))
            if event_id in fresh and event_id in done:
                position = done[event_id].position
                done[event_id] = Retracted(RetractionFate.ALREADY, position)
        return answers


async def _append(
    connection: Connection, tenant: str, fresh: dict[str, int]
) -> dict[str, Retracted]:
    """Append the retractions of events by id, given their sequences."""
    rows = await connection.fetch(_READ, SHARD, list(fresh.values()))
    found = {row["sequence"]: row for row in rows}
    entries = []
    names = []
    for event_id, sequence in sorted(fresh.items(), key=lambda pair: pair[1]):
        row = found.get(sequence)
        if row is None:
            # The log lost the event by retention: there is nothing left to take back.
            continue
        logged = entry_pb2.LoggedRetraction(
            event=entry_pb2.Entry.FromString(row["entry"]).event,
            event_sequence=sequence,
            event_accepted_at_us=row["accepted_at_us"],
        )
        entry = entry_pb2.Entry(event_retracted=logged).SerializeToString()
        entries.append(NewEntry(tenant, row["user_key"], entry))
        names.append(event_id)
    if not entries:
        return {}
    last = await append_entries(connection, entries)
    sequences = list(range(last.sequence - len(entries) + 1, last.sequence + 1))
    await connection.execute(_MARK, tenant, names, sequences)
    await connection.execute(_REMEMBER, SHARD, [fresh[name] for name in names], sequences)
    return {
        name: Retracted(RetractionFate.RETRACTED, Position(SHARD, last.epoch, sequence))
        for name, sequence in zip(names, sequences, strict=True)
    }
