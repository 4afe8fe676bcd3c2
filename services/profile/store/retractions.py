"""Events that were taken back: seen items and behaviour as if they had never been.

Runs in the transaction that moves the cursor, so each retraction takes effect exactly once.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from asyncpg.pool import PoolConnectionProxy

from services.profile.domain.behaviour import Behaviour
from services.profile.domain.frame_changes import UserChange, UserEvent, UserId
from services.profile.domain.seen_events import SeenItem
from services.profile.domain.seen_events import without as item_without
from services.profile.recent_events import times_of, without

_ITEMS = """
    SELECT item_id, events, last_sequence, last_event_us, happened FROM seen_items
    WHERE tenant = $1 AND user_key = $2 AND item_id = ANY ($3::text[])
"""
_GONE = """
    DELETE FROM seen_items WHERE tenant = $1 AND user_key = $2 AND item_id = ANY ($3::text[])
"""
_LEFT = """
    UPDATE seen_items s SET events = r.events, last_sequence = r.last_sequence,
        last_event_us = r.last_event_us, happened = r.happened
    FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bytea[])
        AS r (item_id, events, last_sequence, last_event_us, happened)
    WHERE s.tenant = $1 AND s.user_key = $2 AND s.item_id = r.item_id
"""


async def without_events(
    connection: PoolConnectionProxy,
    user: UserId,
    before: Behaviour,
    change: UserChange,
    codes: Mapping[str, int],
) -> Behaviour:
    """Take events of a user out of the seen items; return the behaviour without them."""
    per_item: dict[str, list[UserEvent]] = defaultdict(list)
    for event in change.retracted:
        per_item[event.item_id].append(event)
    gone: list[str] = []
    left: list[SeenItem] = []
    for row in await connection.fetch(_ITEMS, *user, list(per_item)):
        item = SeenItem(*row)
        rest = item_without(item, per_item[item.item_id], codes)
        if rest is None:
            gone.append(item.item_id)
        else:
            left.append(rest)
    await connection.execute(_GONE, *user, gone)
    await connection.execute(
        _LEFT, *user, [item.item_id for item in left], [item.events for item in left],
        [item.last_sequence for item in left], [item.last_event_us for item in left],
        [item.happened for item in left],
    )  # fmt: skip
    recent, sequences = without(before.recent, before.recent_sequences, change.retracted)
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
