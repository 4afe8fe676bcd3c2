"""What of erased users comes late: entries that are not known to be of after the erasure.

Deterministic by the log's order: an erasure is appended under the lock of the shard, and what is
appended after it is held against it under the same lock. So readers of the log need no rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection, store_faults

UNCHECKED = -1
"""As of how many erasures it was looked: not at all."""
TICK = entry_pb2.Entry(tick=entry_pb2.Tick()).SerializeToString()
"""What stands in the place of an entry that must not be there: sequences stay dense."""

# One statement, so that the count and the rows are of one moment. Lateral, so that each user is
# looked up by index also before the tables were first analysed.
_FIND = """
    SELECT s.erasures, i.ordinal, e.erased_at_us FROM shards s
    LEFT JOIN unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS i (tenant, user_key, ordinal)
        ON true
    LEFT JOIN LATERAL (
        SELECT max(e.erased_at_us) AS erased_at_us FROM erasures e
        WHERE e.tenant = i.tenant AND e.tombstone = sha256(i.user_key)
    ) e ON true
    WHERE s.shard = $1
"""


IS_VOID = """(
    (SELECT EXISTS (SELECT FROM erasures WHERE scrubbed_at IS NULL)) AND EXISTS (
        SELECT FROM erasures e WHERE e.scrubbed_at IS NULL AND e.tenant = l.tenant
            AND e.tombstone = sha256(l.user_key) AND e.sequence > l.sequence
    )
)"""
"""Condition on a row l of the log: its user was erased later, and it was not scrubbed yet."""


class ErasedAmongThemError(Exception):
    """Nothing was appended: somebody was erased, and it was not looked what of theirs is late."""


@dataclass(frozen=True, slots=True)
class LateEntries:
    """Which of some entries are late, as of so many erasures."""

    erasures: int
    late: frozenset[int]


async def find_late(
    connection: Connection,
    shard: int,
    tenants: Sequence[str],
    user_keys: Sequence[bytes | None],
    entries: Sequence[bytes],
) -> LateEntries:
    """Return which of entries that are to be appended, by index, come late.

    Raises:
        StoreUnavailableError: the store is away.

    """
    with store_faults():
        rows = await connection.fetch(_FIND, shard, list(tenants), list(user_keys))
    late = frozenset(
        row["ordinal"] - 1
        for row in rows
        if row["erased_at_us"] is not None
        and is_late(entry_pb2.Entry.FromString(entries[row["ordinal"] - 1]), row["erased_at_us"])
    )
    return LateEntries(rows[0]["erasures"], late)


def is_late(entry: entry_pb2.Entry, erased_at_us: int) -> bool:
    """Return whether an entry of a user who was erased is not known to be of later.

    A vector that a backend sets has no time: setting it is an act of its own.
    """
    match entry.WhichOneof("kind"):
        case "event":
            return _is_late_event(entry.event, erased_at_us)
        case "event_retracted":
            return _is_late_event(entry.event_retracted.event, erased_at_us)
        case "slate":
            return entry.slate.served_at_us <= erased_at_us
        case "user_fact":
            # Revisions follow the clock.
            return entry.user_fact.revision <= erased_at_us
        case "users_merged":
            return entry.users_merged.revision <= erased_at_us
        case "users_unmerged":
            return entry.users_unmerged.revision <= erased_at_us
        case _:
            return False


def _is_late_event(event: entry_pb2.LoggedEvent, erased_at_us: int) -> bool:
    return not event.HasField("event_time_us") or event.event_time_us <= erased_at_us
