"""Events that were taken back: seen items and behaviour as if they had never been.

Runs in the transaction that moves the cursor, so each retraction takes effect exactly once.
"""

from collections import Counter
from collections.abc import Sequence

from asyncpg.pool import PoolConnectionProxy

from services.profile.domain.behaviour import Behaviour
from services.profile.domain.frame_changes import UserChange, UserId
from services.profile.recent_events import latest_of_item, times_of, without

# Where it is not known how many events an item has (0), it stays seen.
_LESS = """
    UPDATE seen_items s SET events = s.events - r.events
    FROM unnest($3::text[], $4::integer[]) AS r (item_id, events)
    WHERE s.tenant = $1 AND s.user_key = $2 AND s.item_id = r.item_id AND s.events > r.events
    RETURNING s.item_id
"""
_GONE = """
    DELETE FROM seen_items s USING unnest($3::text[], $4::integer[]) AS r (item_id, events)
    WHERE s.tenant = $1 AND s.user_key = $2 AND s.item_id = r.item_id
        AND s.events > 0 AND s.events <= r.events
    RETURNING s.item_id
"""
_LATEST = """
    UPDATE seen_items s SET last_sequence = $4, last_event_us = $5
    WHERE s.tenant = $1 AND s.user_key = $2 AND s.item_id = $3 AND s.last_sequence > $4
"""


async def without_events(
    connection: PoolConnectionProxy, user: UserId, before: Behaviour, change: UserChange
) -> Behaviour:
    """Take events of a user out of the seen items; return the behaviour without them."""
    per_item = Counter(event.item_id for event in change.retracted)
    columns = (list(per_item), list(per_item.values()))
    gone = await connection.fetch(_GONE, *user, *columns)
    left = await connection.fetch(_LESS, *user, *columns)
    recent, sequences = without(before.recent, before.recent_sequences, change.retracted)
    for row in left:
        # Exact where the event before is a recent one; else the item keeps its place.
        latest = latest_of_item(recent, sequences, row["item_id"])
        if latest is not None:
            await connection.execute(_LATEST, *user, row["item_id"], *latest)
    return before.without(change, len(gone), recent, sequences, times_of(recent))


async def forget(connection: PoolConnectionProxy, users: Sequence[UserId]) -> None:
    """Delete the behaviour of users of whom nothing is left."""
    if users:
        tenants, keys = zip(*users, strict=True)
        await connection.execute(
            "DELETE FROM behaviours b USING unnest($1::text[], $2::bytea[]) AS k (tenant, user_key)"
            " WHERE b.tenant = k.tenant AND b.user_key = k.user_key",
            tenants,
            keys,
        )
