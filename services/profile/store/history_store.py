"""Tables that follow from entries of the log: cursor, histories, vectors that were set."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import session
from services.feed.progress import Applied
from services.profile.domain.changes import Batch, UserEvent, UserId
from services.profile.domain.history import History, joined, shortened, without
from services.profile.domain.history_codec import (
    chunk_history,
    chunk_of,
    packed_types,
    records_of,
    tail_history,
    tail_of,
    types_of,
)
from services.profile.store.columns import columns_of
from services.profile.store.erasure_store import erase

TAIL_BYTES = 700
"""A tail that would be longer becomes a chunk, with all events that come with it."""
MERGED_CHUNKS = 16
"""So many chunks of one size become one."""
_SIZES = (0, 768, 12_288)
"""Rows from which on chunks are of the next size; those of the last are left alone."""
USERS_AT_ONCE = 500
"""Users in one statement: bounds how long the event loop is busy with one."""

# Moves the cursor, and lets the transaction commit without waiting for the disk: whatever a crash
# takes from it can be had again from the log, because the cursor moves with it.
_MOVE_CURSOR = """
    UPDATE entries_cursor SET epoch = $3, sequence = $4
    WHERE shard = 0 AND epoch = $1 AND sequence = $2
    RETURNING set_config('synchronous_commit', 'off', true)
"""
# Lateral, so that each user is looked up by index also before the tables were first analysed.
_LOAD = """
    SELECT h.* FROM unnest($1::text[], $2::bytea[]) AS k (tenant, user_key)
    CROSS JOIN LATERAL (
        SELECT * FROM histories h WHERE h.tenant = k.tenant AND h.user_key = k.user_key OFFSET 0
    ) h
"""
# All that changes when entries are applied, in one statement and so in one transaction: each
# message to the server and back costs both sides more than the work in it. Nothing happens unless
# the cursor is where it should be. Returned is a row at least, and of what was sealed the history.
_APPLY = f"""
    WITH moved AS ({_MOVE_CURSOR}), grown AS (
        UPDATE histories h SET types = k.types, tail = k.tail
        FROM moved, unnest($5::text[], $6::bytea[], $7::bytea[], $8::bytea[])
            AS k (tenant, user_key, types, tail)
        WHERE h.tenant = k.tenant AND h.user_key = k.user_key
    ), begun AS (
        INSERT INTO histories (tenant, user_key, types, tail)
        SELECT k.* FROM moved, unnest($9::text[], $10::bytea[], $11::bytea[], $12::bytea[])
            AS k (tenant, user_key, types, tail)
        RETURNING id, tenant, user_key
    ), sealed AS (
        INSERT INTO history_chunks (history_id, last_sequence, first_sequence, rows, packed)
        SELECT coalesce(k.id, begun.id), k.last_sequence, k.first_sequence, k.rows, k.packed
        FROM moved CROSS JOIN unnest(
            $13::bigint[], $14::text[], $15::bytea[], $16::bigint[], $17::bigint[], $18::integer[],
            $19::bytea[]
        ) AS k (id, tenant, user_key, last_sequence, first_sequence, rows, packed)
        LEFT JOIN begun ON begun.tenant = k.tenant AND begun.user_key = k.user_key
        RETURNING history_id
    ), fallen AS (
        DELETE FROM set_vectors v
        USING moved, unnest($20::text[], $21::bytea[], $22::boolean[]) AS k (tenant, user_key, any_)
        WHERE v.tenant = k.tenant AND v.user_key = k.user_key AND (k.any_ OR NOT v.pinned)
    ), set AS (
        INSERT INTO set_vectors (tenant, user_key, generation_id, pinned, vector)
        SELECT k.* FROM moved, unnest(
            $23::text[], $24::bytea[], $25::text[], $26::boolean[], $27::bytea[]
        ) AS k
        ON CONFLICT (tenant, user_key) DO UPDATE SET generation_id = excluded.generation_id,
            pinned = excluded.pinned, vector = excluded.vector
    )
    SELECT sealed.history_id FROM moved LEFT JOIN sealed ON true
"""
_CHUNKS = """
    SELECT last_sequence, first_sequence, packed FROM history_chunks
    WHERE history_id = $1 AND first_sequence <= $3 AND last_sequence >= $2 FOR UPDATE
"""
_DROP_CHUNKS = """
    DELETE FROM history_chunks WHERE history_id = $1 AND last_sequence = ANY ($2::bigint[])
"""
_ADD_CHUNK = """
    INSERT INTO history_chunks (history_id, last_sequence, first_sequence, rows, packed)
    VALUES ($1, $2, $3, $4, $5)
"""
_FORGET = """
    DELETE FROM histories h WHERE id = $1 AND tenant = $2 AND user_key = $3 AND tail = ''
        AND NOT EXISTS (SELECT FROM history_chunks c WHERE c.history_id = h.id)
"""
# What says the same in fewer rows needs no other cursor; the lock keeps others from changing it.
_LOCK_CURSOR = "SELECT FROM entries_cursor WHERE shard = 0 FOR UPDATE"
_MANY = f"""
    SELECT history_id, rows >= {_SIZES[1]} AS larger FROM history_chunks
    WHERE history_id = ANY ($1::bigint[]) AND rows < {_SIZES[2]}
    GROUP BY history_id, larger HAVING count(*) >= {MERGED_CHUNKS}
"""
_OF_SIZE = f"""
    DELETE FROM history_chunks
    WHERE history_id = $1 AND rows < {_SIZES[2]} AND (rows >= {_SIZES[1]}) = $2
    RETURNING last_sequence, first_sequence, packed
"""


@dataclass(frozen=True, slots=True)
class _Stored:
    """The row of a user; no id: there is none yet."""

    id: int | None = None
    types: bytes = b""
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk to be written."""

    last_sequence: int
    first_sequence: int
    rows: int
    packed: bytes


class HistoryStore:
    """Applies batches of entries."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def load(self) -> Applied:
        """Return the cursor.

        Raises:
            StoreUnavailableError: the store is away.
            RuntimeError: the schema was never migrated.

        """
        try:
            async with session(self._pool) as connection:
                cursor = await connection.fetchrow("SELECT * FROM entries_cursor WHERE shard = 0")
        except asyncpg.UndefinedTableError as error:
            raise RuntimeError(
                "the database has no tables of ours: run python -m services.profile --migrate"
            ) from error
        if cursor is None:
            raise RuntimeError("the cursor of shard 0 is missing")
        return Applied(cursor["epoch"], 0, cursor["sequence"])

    async def apply(self, batch: Batch) -> bool:
        """Apply a batch and move the cursor, both or neither; a batch of retractions has no events.

        Return False, having changed nothing, when the cursor was not where the batch begins.
        The answer may come before the commit is on disk.

        Raises:
            StoreUnavailableError: the store is away. The batch may be applied all the same.

        """
        # In the order of the index, so that bulk history fills page after page.
        users = sorted(batch.users)
        retracts = any(change.retracted for change in batch.users.values())
        sealed: set[int] = set()
        async with session(self._pool) as connection:
            if len(users) <= USERS_AT_ONCE and not retracts and not batch.erased:
                rows = await _apply_changes(connection, batch, users, batch.after)
                if rows is None:
                    return False
                sealed |= rows
            else:
                async with connection.transaction():
                    # First, because it locks: of two processes that apply at once one waits here,
                    # and then finds the cursor moved.
                    if not await connection.fetch(_MOVE_CURSOR, *_move(batch.after, batch.through)):
                        return False
                    if batch.erased:
                        # A receipt follows: what it says must not be lost in a crash.
                        await connection.execute("SET LOCAL synchronous_commit = on")
                        await erase(connection, batch.erased)
                    for user in users:
                        change = batch.users[user]
                        if change.retracted:
                            await _take_back(connection, user, change.retracted)
                    for begin in range(0, len(users), USERS_AT_ONCE):
                        some = users[begin : begin + USERS_AT_ONCE]
                        sealed |= (
                            await _apply_changes(connection, batch, some, batch.through) or set()
                        )
            if sealed:
                await _merge(connection, sorted(sealed))
        return True

    async def start_over(self, expected: Applied) -> bool:
        """Forget all that follows from entries, and go back to the beginning of the log.

        Return False, having changed nothing, when the cursor is not at `expected`.

        Raises:
            StoreUnavailableError: the store is away. It may be done all the same.

        """
        async with session(self._pool) as connection, connection.transaction():
            there = await connection.fetchval(
                "SELECT 1 FROM entries_cursor WHERE shard = 0 AND epoch = $1 AND sequence = $2"
                " FOR UPDATE",
                expected.epoch,
                expected.sequence,
            )
            if there is None:
                return False
            await connection.execute("TRUNCATE histories, history_chunks, set_vectors")
            await connection.execute(
                "UPDATE entries_cursor SET epoch = 0, sequence = 0 WHERE shard = 0"
            )
        return True


def _move(expected: Applied, through: Applied) -> tuple[int, int, int, int]:
    """Return the first arguments of _MOVE_CURSOR."""
    return expected.epoch, expected.sequence, through.epoch, through.sequence


async def _apply_changes(
    connection: PoolConnectionProxy, batch: Batch, users: Sequence[UserId], expected: Applied
) -> set[int] | None:
    """Apply events and vectors of some users; return None when the cursor is not at `expected`,
    else the histories that have a new chunk.

    What is loaded is of no earlier point than `expected`, and whatever changes it moves the cursor:
    so with a cursor that is still there, it is what the changes follow.
    """
    acting = [user for user in users if batch.users[user].events]
    known = await _load(connection, acting) if acting else {}
    grown: list[tuple[object, ...]] = []
    begun: list[tuple[object, ...]] = []
    chunks: list[tuple[object, ...]] = []
    fallen: list[tuple[object, ...]] = []
    standing: list[tuple[object, ...]] = []
    for user in users:
        change = batch.users[user]
        if change.events:
            stored = known.get(user, _Stored())
            types, tail, chunk = _grown(stored, change.events)
            (begun if stored.id is None else grown).append((*user, types, tail))
            chunks += [
                (stored.id, *user, one.last_sequence, one.first_sequence, one.rows, one.packed)
                for one in chunk
            ]
        vector = change.vector
        if vector is not None and change.vector_stands:
            standing.append((*user, vector.generation_id, vector.pinned, vector.vector))
        elif change.events:
            fallen.append((*user, vector is not None))
    moved = await connection.fetch(
        _APPLY, *_move(expected, batch.through), *columns_of(4, grown), *columns_of(4, begun),
        *columns_of(7, chunks), *columns_of(3, fallen), *columns_of(5, standing),
    )  # fmt: skip
    return {row[0] for row in moved if row[0] is not None} if moved else None


async def _load(
    connection: PoolConnectionProxy, users: Sequence[UserId]
) -> Mapping[UserId, _Stored]:
    tenants, keys = zip(*users, strict=True)
    return {
        (row["tenant"], row["user_key"]): _Stored(row["id"], row["types"], row["tail"])
        for row in await connection.fetch(_LOAD, tenants, keys)
    }


def _grown(stored: _Stored, events: Sequence[UserEvent]) -> tuple[bytes, bytes, list[_Chunk]]:
    """Return types, tail and new chunks of a user after events."""
    types = types_of(stored.types)
    codes = {name: code for code, name in enumerate(types)}
    for event in events:
        codes.setdefault(event.type, len(codes))
    packed = stored.types if len(codes) == len(types) else packed_types(list(codes))
    tail = records_of(events, codes) + stored.tail
    if len(tail) <= TAIL_BYTES:
        return packed, tail, []
    return packed, b"", [_sealed(tail_history(tail))]


def _sealed(history: History) -> _Chunk:
    """Return new events as a chunk."""
    first, last = int(history.sequences.min()), int(history.sequences.max())
    if len(history) >= _SIZES[1]:
        history = shortened(history)
    return _chunk(history, first, last)


def _chunk(history: History, first: int, last: int) -> _Chunk:
    """Return a chunk; sequences are of events, also of those that were put together."""
    return _Chunk(last, first, len(history), chunk_of(history))


async def _take_back(
    connection: PoolConnectionProxy, user: UserId, retracted: Sequence[UserEvent]
) -> None:
    """Take events of a user back; of whom nothing is left, nothing stays."""
    stored = (await _load(connection, [user])).get(user)
    if stored is None or stored.id is None:
        return
    sequences = [event.sequence for event in retracted]
    rows = await connection.fetch(_CHUNKS, stored.id, min(sequences), max(sequences))
    before = [tail_history(stored.tail), *(chunk_history(row["packed"]) for row in rows)]
    codes = {name: code for code, name in enumerate(types_of(stored.types))}
    after = without(before, retracted, codes)
    if after[0] is not before[0]:
        await connection.execute(
            "UPDATE histories SET tail = $3 WHERE tenant = $1 AND user_key = $2",
            *user,
            tail_of(after[0]),
        )
    changed = [place for place in range(1, len(before)) if after[place] is not before[place]]
    places = [rows[place - 1]["last_sequence"] for place in changed]
    await connection.execute(_DROP_CHUNKS, stored.id, places)
    for place in changed:
        if len(after[place]):
            first, last = rows[place - 1]["first_sequence"], rows[place - 1]["last_sequence"]
            await _add_chunk(connection, stored.id, _chunk(after[place], first, last))
    await connection.execute(_FORGET, stored.id, *user)


async def _merge(connection: PoolConnectionProxy, histories: Sequence[int]) -> None:
    """Put chunks together where there are many of one size."""
    for history_id, larger in await connection.fetch(_MANY, histories):
        async with connection.transaction():
            await connection.execute(_LOCK_CURSOR)
            rows = await connection.fetch(_OF_SIZE, history_id, larger)
            await connection.execute("SET LOCAL synchronous_commit = off")
            if not rows:
                # Another process was faster.
                continue
            # Some ten thousand rows take a tenth of a second.
            await _add_chunk(connection, history_id, await asyncio.to_thread(_merged, rows))


def _merged(rows: Sequence[asyncpg.Record]) -> _Chunk:
    history = joined([chunk_history(row["packed"]) for row in rows])
    if len(history) >= _SIZES[1]:
        history = shortened(history)
    first = min(row["first_sequence"] for row in rows)
    return _chunk(history, first, max(row["last_sequence"] for row in rows))


async def _add_chunk(connection: PoolConnectionProxy, history_id: int, chunk: _Chunk) -> None:
    await connection.execute(
        _ADD_CHUNK, history_id, chunk.last_sequence, chunk.first_sequence, chunk.rows, chunk.packed
    )
