"""Tables that are a fold of the feed: cursor, behaviours, seen items, shapes of generations."""

import json
from collections.abc import Iterable, Mapping, Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import session
from services.common.progress import Applied
from services.profile.domain.behaviour import Behaviour
from services.profile.domain.frame_changes import Batch, GenerationName, Shape, UserChange, UserId
from services.profile.domain.seen_events import LONGEST_BYTES, packed, shortened
from services.profile.recent_events import with_events
from services.profile.store.retractions import forget, without_events

# Moves the cursor, and lets the transaction commit without waiting for the disk: whatever a crash
# takes from it can be had again from the feed, because the cursor moves with it, and because frames
# are acknowledged only after `flush`.
# History moves the sequence only, so it is compared as well.
_MOVE_CURSOR = """
    UPDATE feed_cursor SET epoch = $3, version = $4, through_sequence = $5
    WHERE shard = 0 AND epoch = $1 AND version = $2 AND through_sequence = {expected}
    RETURNING set_config('synchronous_commit', 'off', true)
"""
_MOVE_ALONE = _MOVE_CURSOR.format(expected="$6")
# Lateral, so that each user is looked up by index also before the tables were first analysed.
_LOAD = """
    SELECT b.* FROM unnest($1::text[], $2::bytea[]) AS k (tenant, user_key)
    CROSS JOIN LATERAL (
        SELECT * FROM behaviours b WHERE b.tenant = k.tenant AND b.user_key = k.user_key OFFSET 0
    ) b
"""
# All that changes when frames are applied, in one statement and so in one transaction: each message
# to the server and back costs both sides more than the work in it. Nothing happens unless the
# cursor is where it should be. A pair of user and item is new when its first event is one of those
# being applied ($6: the sequence before them); $22 counts items on top of the new ones. Returned is
# a row at least, and of items with more than $26 bytes of events these.
_APPLY = f"""
    WITH moved AS ({_MOVE_CURSOR.format(expected="$27")}), seen AS (
        INSERT INTO seen_items AS s
            (tenant, user_key, item_id, first_sequence, last_sequence, last_event_us, events,
             happened)
        SELECT pair.* FROM moved CROSS JOIN unnest(
            $7::text[], $8::bytea[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[],
            $13::integer[], $14::bytea[]) AS pair
        ON CONFLICT (tenant, user_key, item_id) DO UPDATE SET
            last_sequence = excluded.last_sequence,
            last_event_us = greatest(s.last_event_us, excluded.last_event_us),
            events = CASE WHEN s.events > 0 THEN s.events + excluded.events ELSE 0 END,
            happened = s.happened || excluded.happened
        RETURNING s.tenant, s.user_key, s.item_id, s.first_sequence, s.happened
    ), new AS (
        SELECT tenant, user_key, count(*) AS items FROM seen
        WHERE first_sequence > $6 GROUP BY tenant, user_key
    ), saved AS (
        INSERT INTO behaviours AS b
            (tenant, user_key, recent, vector, generation_id, events, events_by_type,
             distinct_items, first_event_us, last_event_us, recent_sequences)
        SELECT k.tenant, k.user_key, k.recent, k.vector, k.generation_id, k.events,
            k.events_by_type, k.more_items + coalesce(new.items, 0), k.first_event_us,
            k.last_event_us, k.recent_sequences
        FROM moved CROSS JOIN unnest(
            $15::text[], $16::bytea[], $17::bytea[], $18::bytea[], $19::text[], $20::bigint[],
            $21::jsonb[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bytea[]
        ) AS k (tenant, user_key, recent, vector, generation_id, events, events_by_type,
                more_items, first_event_us, last_event_us, recent_sequences)
        LEFT JOIN new ON new.tenant = k.tenant AND new.user_key = k.user_key
        ON CONFLICT (tenant, user_key) DO UPDATE SET
            recent = excluded.recent, vector = excluded.vector,
            generation_id = excluded.generation_id, events = excluded.events,
            events_by_type = excluded.events_by_type,
            distinct_items = b.distinct_items + excluded.distinct_items,
            first_event_us = excluded.first_event_us, last_event_us = excluded.last_event_us,
            recent_sequences = excluded.recent_sequences
    )
    SELECT long.* FROM moved LEFT JOIN (
        SELECT tenant, user_key, item_id, happened FROM seen WHERE octet_length(happened) > $26
    ) long ON true
"""
_LEARN_SHAPES = """
    INSERT INTO generation_shapes (tenant, generation_id, dimension, max_norm)
    SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::real[])
    ON CONFLICT (tenant, generation_id) DO UPDATE SET
        dimension = excluded.dimension, max_norm = excluded.max_norm
"""

# The types that have no code yet, and then all of them. Codes are given while the cursor is locked.
_LEARN_TYPES = """
    INSERT INTO event_types (type) SELECT unnest($1::text[]) ON CONFLICT (type) DO NOTHING
"""
_TYPES = "SELECT type, code FROM event_types"
# Says the same as before, so it needs no cursor; nothing is lost when somebody was faster.
_SHORTEN = """
    UPDATE seen_items SET happened = $5
    WHERE tenant = $1 AND user_key = $2 AND item_id = $3 AND happened = $4
"""

_PAIR_COLUMNS, _ROW_COLUMNS = 8, 11

_Pair = tuple[str, bytes, str]
_PairFacts = tuple[int, int, int, int, bytes]

USERS_AT_ONCE = 500
"""Users in one statement: bounds how long the event loop is busy with one."""


class BehaviourStore:
    """Applies batches of frames."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        # A crash that takes codes takes the cursor back as well, so that they are loaded anew.
        self._codes: dict[str, int] = {}

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
                cursor = await connection.fetchrow("SELECT * FROM feed_cursor WHERE shard = 0")
                rows = await connection.fetch("SELECT * FROM generation_shapes")
                self._codes = _codes_of(await connection.fetch(_TYPES))
        except asyncpg.UndefinedTableError as error:
            raise RuntimeError(
                "the database has no tables of ours: run python -m services.profile --migrate"
            ) from error
        if cursor is None:
            raise RuntimeError("the cursor of shard 0 is missing")
        shapes = {
            (row["tenant"], row["generation_id"]): Shape(row["dimension"], row["max_norm"])
            for row in rows
        }
        return applied_of(cursor), shapes

    async def apply(self, batch: Batch) -> bool:
        """Apply a batch and move the cursor, both or neither.

        Return False, having changed nothing, when the cursor was not where the batch begins.
        The answer may come before the commit is on disk; `flush` makes it so.

        Raises:
            StoreUnavailableError: the store is away. The batch may be applied all the same.

        """
        # In the order of the indexes, so that bulk history fills page after page.
        users = sorted(batch.users)
        retracts = any(change.retracted for change in batch.users.values())
        new_types = sorted(batch.event_types() - self._codes.keys())
        alone = not (batch.shapes or retracts or new_types)
        codes = self._codes
        async with session(self._pool) as connection:
            if users and len(users) <= USERS_AT_ONCE and alone:
                return await _apply_changes(connection, batch, users, batch.after, codes)
            async with connection.transaction():
                # First, because it locks: of two processes that apply at once one waits here, and
                # then finds the cursor moved.
                moving = _move(batch.after, batch.through)
                if not await connection.fetch(_MOVE_ALONE, *moving, batch.after.sequence):
                    return False
                if batch.shapes:
                    await _learn_shapes(connection, batch.shapes)
                if new_types:
                    await connection.execute(_LEARN_TYPES, new_types)
                    codes = _codes_of(await connection.fetch(_TYPES))
                for begin in range(0, len(users), USERS_AT_ONCE):
                    some = users[begin : begin + USERS_AT_ONCE]
                    await _apply_changes(connection, batch, some, batch.through, codes)
        self._codes = codes
        return True

    async def start_over(self, expected: Applied) -> bool:
        """Forget all that is a fold of the feed, and go back to its beginning.

        Return False, having changed nothing, when the cursor is not at `expected`.

        Raises:
            StoreUnavailableError: the store is away. It may be done all the same.

        """
        async with session(self._pool) as connection, connection.transaction():
            there = await connection.fetchval(
                "SELECT 1 FROM feed_cursor WHERE shard = 0 AND epoch = $1 AND version = $2"
                " AND through_sequence = $3 FOR UPDATE",
                expected.epoch,
                expected.version,
                expected.sequence,
            )
            if there is None:
                return False
            await connection.execute("TRUNCATE behaviours, seen_items, generation_shapes")
            await connection.execute(
                "UPDATE feed_cursor SET epoch = 0, version = 0, through_sequence = 0"
                " WHERE shard = 0"
            )
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


async def _learn_shapes(
    connection: PoolConnectionProxy, shapes: Mapping[GenerationName, Shape]
) -> None:
    tenants, generations = zip(*shapes, strict=True)
    dimensions, norms = zip(*shapes.values(), strict=True)
    await connection.execute(_LEARN_SHAPES, tenants, generations, dimensions, norms)


def _codes_of(rows: Iterable[asyncpg.Record]) -> dict[str, int]:
    return {row["type"]: row["code"] for row in rows}


def _move(expected: Applied, through: Applied) -> tuple[int, int, int, int, int]:
    """Return the first arguments of _MOVE_CURSOR."""
    return expected.epoch, expected.version, through.epoch, through.version, through.sequence


async def _apply_changes(
    connection: PoolConnectionProxy,
    batch: Batch,
    users: Sequence[UserId],
    expected: Applied,
    codes: Mapping[str, int],
) -> bool:
    """Apply what a batch changes for some users; return False when the cursor is not at `expected`.

    What is loaded is of no earlier point than `expected`, and whatever changes it moves the cursor:
    so with a cursor that is still there, it is what the changes follow.
    """
    known = await _load(connection, users)
    pairs: dict[_Pair, _PairFacts] = {}
    rows, gone = [], []
    for user in users:
        change, before = batch.users[user], known.get(user, Behaviour())
        if change.retracted:
            after = await without_events(connection, user, before, change, codes)
            if after.nothing:
                gone.append(user)
                continue
        else:
            after = before.after(
                change,
                *with_events(
                    before.recent, before.recent_sequences, change.events, before.last_event_us
                ),
            )
        _note_items(pairs, user, change, codes)
        rows.append(_row(user, before, after))
    if gone:
        await forget(connection, gone)
    if not rows:
        return True
    moved = await connection.fetch(
        _APPLY, *_move(expected, batch.through), batch.after.sequence,
        *_columns(_PAIR_COLUMNS, [(*pair, *facts) for pair, facts in pairs.items()]),
        *_columns(_ROW_COLUMNS, rows), LONGEST_BYTES, expected.sequence,
    )  # fmt: skip
    for *pair, happened in moved:
        if happened is not None:
            await connection.execute(_SHORTEN, *pair, happened, shortened(happened))
    return bool(moved)


def _note_items(
    pairs: dict[_Pair, _PairFacts], user: UserId, change: UserChange, codes: Mapping[str, int]
) -> None:
    """Add the items of events.

    First and last sequence, latest time, and number of the events, and the events packed.
    """
    for event in change.events:
        pair = (*user, event.item_id)
        first, _, time_us, earlier, happened = pairs.get(
            pair, (event.sequence, 0, event.time_us, 0, b"")
        )
        pairs[pair] = (
            first, event.sequence, max(time_us, event.time_us), earlier + 1,
            happened + packed(event, codes),
        )  # fmt: skip


def _row(user: UserId, before: Behaviour, after: Behaviour) -> tuple[object, ...]:
    """Return a row of _APPLY. New items are counted by the statement, those gone are here."""
    return (
        *user, after.recent, after.vector, after.generation_id, after.events,
        json.dumps(dict(after.events_by_type)), after.distinct_items - before.distinct_items,
        after.first_event_us, after.last_event_us, after.recent_sequences,
    )  # fmt: skip


def _columns(number: int, rows: Sequence[tuple[object, ...]]) -> Iterable[Sequence[object]]:
    """Return the columns of rows, also when there is none."""
    return zip(*rows, strict=True) if rows else [()] * number


async def _load(
    connection: PoolConnectionProxy, users: Iterable[UserId]
) -> dict[UserId, Behaviour]:
    tenants, keys = zip(*users, strict=True)
    rows = await connection.fetch(_LOAD, tenants, keys)
    return {(row["tenant"], row["user_key"]): behaviour_of(row) for row in rows}


def applied_of(row: asyncpg.Record) -> Applied:
    """Return the point of the feed that a row of `feed_cursor` names."""
    return Applied(row["epoch"], row["version"], row["through_sequence"])


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
