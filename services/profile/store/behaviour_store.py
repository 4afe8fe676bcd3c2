"""Tables that are a fold of the feed: cursor, behaviours, seen items, shapes of generations."""

import json
from collections.abc import Iterable, Mapping

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import session
from services.common.progress import Applied
from services.profile.domain.behaviour import Behaviour
from services.profile.domain.frame_changes import Batch, GenerationName, Shape, UserChange, UserId
from services.profile.recent_events import sequences_with_newer, with_newer
from services.profile.store.retractions import forget, without_events

# Moves the cursor, and lets the transaction commit without waiting for the disk: whatever a crash
# takes from it can be had again from the feed, because the cursor moves with it, and because frames
# are acknowledged only after `flush`.
_MOVE_CURSOR = """
    UPDATE feed_cursor SET epoch = $3, version = $4, through_sequence = $5
    WHERE shard = 0 AND epoch = $1 AND version = $2
    RETURNING set_config('synchronous_commit', 'off', true)
"""
# A pair is new when its first event is one of those being applied.
_SEE = """
    WITH seen AS (
        INSERT INTO seen_items AS s
            (tenant, user_key, item_id, first_sequence, last_sequence, last_event_us, events)
        SELECT * FROM unnest(
            $1::text[], $2::bytea[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::integer[])
        ON CONFLICT (tenant, user_key, item_id) DO UPDATE SET
            last_sequence = excluded.last_sequence, last_event_us = excluded.last_event_us,
            events = CASE WHEN s.events > 0 THEN s.events + excluded.events ELSE 0 END
        RETURNING s.tenant, s.user_key, s.first_sequence
    )
    SELECT tenant, user_key, count(*) AS items FROM seen
    WHERE first_sequence > $8 GROUP BY tenant, user_key
"""
# Lateral, so that each user is looked up by index also before the tables were first analysed.
_LOAD = """
    SELECT b.* FROM unnest($1::text[], $2::bytea[]) AS k (tenant, user_key)
    CROSS JOIN LATERAL (
        SELECT * FROM behaviours b WHERE b.tenant = k.tenant AND b.user_key = k.user_key OFFSET 0
    ) b
"""
_SAVE = """
    INSERT INTO behaviours
        (tenant, user_key, recent, vector, generation_id, events, events_by_type, distinct_items,
         first_event_us, last_event_us, recent_sequences)
    SELECT * FROM unnest(
        $1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::bigint[], $7::jsonb[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[])
    ON CONFLICT (tenant, user_key) DO UPDATE SET
        recent = excluded.recent, vector = excluded.vector,
        generation_id = excluded.generation_id, events = excluded.events,
        events_by_type = excluded.events_by_type, distinct_items = excluded.distinct_items,
        first_event_us = excluded.first_event_us, last_event_us = excluded.last_event_us,
        recent_sequences = excluded.recent_sequences
"""
_LEARN_SHAPES = """
    INSERT INTO generation_shapes (tenant, generation_id, dimension, max_norm)
    SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::real[])
    ON CONFLICT (tenant, generation_id) DO UPDATE SET
        dimension = excluded.dimension, max_norm = excluded.max_norm
"""

USERS_AT_ONCE = 500
"""Users in one statement: bounds how long the event loop is busy with one."""


class BehaviourStore:
    """Applies batches of frames."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def load(self) -> tuple[Applied, dict[GenerationName, Shape]]:
        """Return the cursor and the shapes of the generations seen.

        Raises:
            StoreUnavailableError: the store is away.
            RuntimeError: the schema was never migrated.

        """
        try:
            async with (
                session(self._pool) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                applied = await read_cursor(connection)
                rows = await connection.fetch("SELECT * FROM generation_shapes")
        except asyncpg.UndefinedTableError as error:
            raise RuntimeError(
                "the database has no tables of ours: run python -m services.profile --migrate"
            ) from error
        shapes = {
            (row["tenant"], row["generation_id"]): Shape(row["dimension"], row["max_norm"])
            for row in rows
        }
        return applied, shapes

    async def apply(self, batch: Batch) -> bool:
        """Apply a batch and move the cursor, both or neither.

        Return False, having changed nothing, when the cursor was not where the batch begins.
        The answer may come before the commit is on disk; `flush` makes it so.

        Raises:
            StoreUnavailableError: the store is away. The batch may be applied all the same.

        """
        async with session(self._pool) as connection, connection.transaction():
            # First, because it locks: of two processes that apply at once one waits here, and
            # then finds the cursor moved.
            moved = await connection.fetchrow(
                _MOVE_CURSOR, batch.after.epoch, batch.after.version,
                batch.through.epoch, batch.through.version, batch.through.sequence,
            )  # fmt: skip
            if moved is None:
                return False
            if batch.shapes:
                await _learn_shapes(connection, batch.shapes)
            # In the order of the indexes, so that bulk history fills page after page.
            users = sorted(batch.users)
            for begin in range(0, len(users), USERS_AT_ONCE):
                some = {user: batch.users[user] for user in users[begin : begin + USERS_AT_ONCE]}
                await _apply_changes(connection, some, batch.after.sequence)
        return True

    async def flush(self) -> None:
        """Wait until everything applied is on disk.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            # A transaction of its own, committed synchronously: the write-ahead log is one
            # sequence, so all before it is on disk as well. The message itself means nothing.
            await connection.execute("SELECT pg_logical_emit_message(true, 'harken', ''::text)")

    async def ping(self) -> None:
        """Return when the store answers.

        Raises:
            StoreUnavailableError: it does not.

        """
        async with session(self._pool) as connection:
            await connection.execute("SELECT")


async def read_cursor(connection: PoolConnectionProxy) -> Applied:
    """Return the point of the feed that is applied, as the connection's transaction sees it."""
    row = await connection.fetchrow(
        "SELECT epoch, version, through_sequence FROM feed_cursor WHERE shard = 0"
    )
    if row is None:
        raise RuntimeError("the cursor of shard 0 is missing")
    return Applied(row["epoch"], row["version"], row["through_sequence"])


async def _learn_shapes(
    connection: PoolConnectionProxy, shapes: Mapping[GenerationName, Shape]
) -> None:
    tenants, generations = zip(*shapes, strict=True)
    dimensions, norms = zip(*shapes.values(), strict=True)
    await connection.execute(_LEARN_SHAPES, tenants, generations, dimensions, norms)


async def _apply_changes(
    connection: PoolConnectionProxy, changes: Mapping[UserId, UserChange], after: int
) -> None:
    new_items = await _see(connection, changes, after)
    known = await _load(connection, changes)
    behaviours = {}
    for user, change in changes.items():
        before = known.get(user, Behaviour())
        if change.retracted:
            behaviours[user] = await without_events(connection, user, before, change)
            continue
        behaviours[user] = before.after(
            change,
            new_items.get(user, 0),
            with_newer(before.recent, change.events),
            sequences_with_newer(before.recent_sequences, change.events),
        )
    await _save(connection, {u: b for u, b in behaviours.items() if not changes[u].retracted
                             or not b.nothing})  # fmt: skip
    await forget(connection, [u for u, b in behaviours.items() if changes[u].retracted
                              and b.nothing])  # fmt: skip


async def _see(
    connection: PoolConnectionProxy, changes: Mapping[UserId, UserChange], after: int
) -> dict[UserId, int]:
    """Note the items of events; return how many of each user's were not seen up to `after`."""
    pairs: dict[tuple[str, bytes, str], tuple[int, int, int, int]] = {}
    for user, change in changes.items():
        for event in change.events:
            pair = (*user, event.item_id)
            known = pairs.get(pair)
            first = event.sequence if known is None else known[0]
            count = 1 if known is None else known[3] + 1
            pairs[pair] = (first, event.sequence, event.time_us, count)
    if not pairs:
        return {}
    columns = [*zip(*pairs, strict=True), *zip(*pairs.values(), strict=True)]
    rows = await connection.fetch(_SEE, *columns, after)
    return {(row["tenant"], row["user_key"]): row["items"] for row in rows}


async def _load(
    connection: PoolConnectionProxy, users: Iterable[UserId]
) -> dict[UserId, Behaviour]:
    tenants, keys = zip(*users, strict=True)
    rows = await connection.fetch(_LOAD, tenants, keys)
    return {(row["tenant"], row["user_key"]): behaviour_of(row) for row in rows}


async def _save(connection: PoolConnectionProxy, behaviours: Mapping[UserId, Behaviour]) -> None:
    rows = [
        (*user, b.recent, b.vector, b.generation_id, b.events,
         json.dumps(dict(b.events_by_type)), b.distinct_items, b.first_event_us, b.last_event_us,
         b.recent_sequences)
        for user, b in behaviours.items()
    ]  # fmt: skip
    if rows:
        await connection.execute(_SAVE, *zip(*rows, strict=True))


def behaviour_of(row: asyncpg.Record) -> Behaviour:
    """Return the behaviour that a row of `behaviours` holds."""
    return Behaviour(
        recent=row["recent"],
        recent_sequences=row["recent_sequences"],
        vector=row["vector"],
        generation_id=row["generation_id"],
        events=row["events"],
        events_by_type=json.loads(row["events_by_type"]),
        distinct_items=row["distinct_items"],
        first_event_us=row["first_event_us"],
        last_event_us=row["last_event_us"],
    )
