"""Reads of profiles: several users, as of one point of the log."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np

from services.common.database import session
from services.common.position import Position
from services.common.vault.vault import UserVault
from services.feed.progress import Applied
from services.profile import attributes
from services.profile.domain.history import History, joined
from services.profile.domain.history_codec import chunk_history, tail_history, types_of
from services.profile.store.attribute_store import StoredAttributes
from services.profile.store.sealed_attributes import AttributeSeals, attribute_seals

# One statement, so all of it is as of one moment, without a transaction around it. Lateral, as each
# user is to be looked up by index also before the tables were first analysed.
_READ = """
    SELECT c.epoch, c.sequence, l.epoch AS learned_epoch, l.through_sequence AS learned_sequence,
        h.types, h.tail, chunks.packed, p.generation_id AS set_generation_id,
        p.vector AS set_vector, p.pinned, v.generation_id, v.vector,
        k.user_key, a.attributes, a.sealed, a.revision, a.updated_at
    FROM entries_cursor c JOIN learned_cursor l ON l.shard = c.shard
    CROSS JOIN unnest($2::bytea[]) WITH ORDINALITY AS k (user_key, ordinal)
    LEFT JOIN LATERAL (
        SELECT * FROM histories h WHERE h.tenant = $1 AND h.user_key = k.user_key OFFSET 0
    ) h ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(packed) AS packed FROM history_chunks WHERE history_id = h.id
    ) chunks ON true
    LEFT JOIN LATERAL (
        SELECT * FROM set_vectors p WHERE p.tenant = $1 AND p.user_key = k.user_key OFFSET 0
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT * FROM learned_vectors v WHERE v.tenant = $1 AND v.user_key = k.user_key OFFSET 0
    ) v ON true
    LEFT JOIN LATERAL (
        SELECT * FROM attributes a WHERE a.tenant = $1 AND a.user_key = k.user_key OFFSET 0
    ) a ON true
    WHERE c.shard = 0 ORDER BY k.ordinal
"""


_LARGE_BYTES = 100_000
"""Of chunks; to unpack more is nothing for the event loop."""


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A user's vector, float32 little-endian; `is_set`: by a backend, which may have pinned it."""

    generation_id: str
    vector: bytes
    is_set: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What is stored of a user; a part is None when it was never there.

    A history has one event at least; `types` are what its types are indices of. Without history and
    without a vector that was set, a learned vector is not answered: it is of events that were taken
    back, or that are still to come here.
    """

    attributes: StoredAttributes | None
    history: History | None
    types: list[str]
    vector: StoredVector | None

    @property
    def is_known(self) -> bool:
        """Return whether anything is known about the user."""
        return any(part is not None for part in (self.attributes, self.history, self.vector))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Profiles as of one point of the log, in the order they were asked for.

    learned: the point that learned vectors reflect.
    """

    applied: Applied
    learned: Applied
    profiles: list[StoredProfile]

    def position(self) -> bytes:
        """Return the token of the point."""
        return _token(self.applied)

    def learned_position(self) -> bytes:
        """Return the token of the point that learned vectors reflect."""
        return _token(self.learned)


class ProfileStore:
    """Reads profiles."""

    def __init__(self, pool: asyncpg.Pool, vault: UserVault) -> None:
        self._pool = pool
        self._vault = vault

    async def read(self, tenant: str, user_keys: Sequence[bytes]) -> Snapshot:
        """Return the profiles of users, one or more, and the point that all of them reflect.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            rows = await connection.fetch(_READ, tenant, user_keys)
        if not rows:
            raise RuntimeError("the cursor of shard 0 is missing")
        sealed = {row["user_key"] for row in rows if row["sealed"] is not None}
        seals = await attribute_seals(self._vault, tenant, sealed)
        if sum(len(chunk) for row in rows for chunk in row["packed"] or ()) > _LARGE_BYTES:
            # Of a hundred thousand events it takes a hundredth of a second.
            return await asyncio.to_thread(_snapshot, rows, seals)
        return _snapshot(rows, seals)


def _snapshot(rows: Sequence[asyncpg.Record], seals: AttributeSeals) -> Snapshot:
    first = rows[0]
    return Snapshot(
        Applied(first["epoch"], 0, first["sequence"]),
        Applied(first["learned_epoch"], 0, first["learned_sequence"]),
        [_profile(row, seals) for row in rows],
    )


def _profile(row: asyncpg.Record, seals: AttributeSeals) -> StoredProfile:
    stored = None
    if row["revision"] is not None:
        text = seals.text(row["user_key"], row["attributes"], row["sealed"])
        if text is not None:
            stored = StoredAttributes(
                attributes.from_json(text), row["revision"], row["updated_at"]
            )
    history = None
    if row["tail"] is not None:
        chunks = [chunk_history(chunk) for chunk in row["packed"] or ()]
        history = joined([*chunks, tail_history(row["tail"])])
    return StoredProfile(stored, history, types_of(row["types"] or b""), _vector(row))


def _vector(row: asyncpg.Record) -> StoredVector | None:
    if row["set_vector"] is not None:
        return StoredVector(row["set_generation_id"], row["set_vector"], True, row["pinned"])
    if row["vector"] is None or row["tail"] is None:
        return None
    learned = np.frombuffer(row["vector"], "<f2").astype("<f4")
    return StoredVector(row["generation_id"], learned.tobytes())


def _token(applied: Applied) -> bytes:
    return Position(0, applied.epoch, applied.sequence).encode()
