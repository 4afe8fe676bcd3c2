"""The log in PostgreSQL: appending in commit order, and reading in order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.common.database import Connection, one_row, store_faults
from services.common.position import Position

SHARD = 0
LOG_CHANNEL = "feedback_log"
# Columns in the order of LogRow.
_ROWS = (
    "SELECT sequence, tenant, (extract(epoch FROM accepted_at) * 1000000)::bigint AS"
    " accepted_at_us, entry FROM log WHERE shard = $1"
)


@dataclass(frozen=True, slots=True)
class PreparedEvent:
    """An event ready for the log. `reason` other than 0 sends it to quarantine, if it is new."""

    tenant: str
    event_id: str
    fingerprint: bytes
    user_key: bytes
    reason: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class AppendedEvent:
    """What became of a prepared event.

    `position` and `fingerprint` are those of the event that the log has under its id, now or since
    earlier (None when it was quarantined). `fresh`: it was accepted now. `stamped_at`: unix seconds
    by the store's clock, right after it was stamped as accepted.
    """

    position: Position | None
    fingerprint: bytes | None
    fresh: bool
    stamped_at: float = 0.0


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry other than an event, serialised."""

    tenant: str
    user_key: bytes | None
    entry: bytes


@dataclass(frozen=True, slots=True)
class LogRow:
    """An entry as stored."""

    sequence: int
    tenant: str
    accepted_at_us: int
    entry: bytes


async def append_events(
    connection: Connection, events: Sequence[PreparedEvent]
) -> list[AppendedEvent]:
    """Append events whose ids are distinct, in one durable transaction.

    Raises:
        StoreUnavailableError: it is not known whether anything was appended; the same call may
            be repeated.

    """
    columns = (
        [event.tenant for event in events],
        [event.event_id for event in events],
        [event.fingerprint for event in events],
        [event.user_key for event in events],
        [event.reason for event in events],
        [event.entry for event in events],
    )
    with store_faults():
        rows = await connection.fetch(
            "SELECT ordinal, epoch, sequence, fingerprint, fresh,"
            " extract(epoch FROM clock_timestamp())::float8 AS stamped_at"
            " FROM append_events($1, $2, $3, $4, $5, $6, $7) ORDER BY ordinal",
            SHARD,
            *columns,
        )
    return [
        AppendedEvent(
            None if row["sequence"] is None else Position(SHARD, row["epoch"], row["sequence"]),
            row["fingerprint"],
            row["fresh"],
            row["stamped_at"],
        )
        for row in rows
    ]


async def append_entries(connection: Connection, entries: Sequence[NewEntry]) -> Position:
    """Append entries and return the position of the last. Call it last in a transaction: it locks
    the log until commit.
    """
    row = await one_row(
        connection,
        "SELECT before, epoch FROM append_entries($1, $2, $3, $4)",
        SHARD,
        [entry.tenant for entry in entries],
        [entry.user_key for entry in entries],
        [entry.entry for entry in entries],
    )
    return Position(SHARD, row["epoch"], row["before"] + len(entries))


async def read_log(connection: Connection, after_sequence: int, limit: int) -> list[LogRow]:
    """Return up to `limit` entries after a sequence, in order."""
    with store_faults():
        rows = await connection.fetch(
            f"{_ROWS} AND sequence > $2 ORDER BY sequence LIMIT $3", SHARD, after_sequence, limit
        )
    return [LogRow(*row) for row in rows]


async def read_entries(connection: Connection, sequences: Collection[int]) -> list[LogRow]:
    """Return those of some entries that are there, in no order."""
    with store_faults():
        rows = await connection.fetch(
            f"{_ROWS} AND sequence = ANY($2::bigint[])", SHARD, list(sequences)
        )
    return [LogRow(*row) for row in rows]
