"""Reads of profiles: several users, as of one point of the log."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np

from harken.common.v1 import consent_pb2
from services.common.consent import UNDECIDED, Consent, consent_of
from services.common.database import session
from services.common.position import Position
from services.common.vault.vault import UserVault
from services.feed.progress import Applied
from services.profile import attributes
from services.profile.domain.history import History, joined, united
from services.profile.domain.history_codec import chunk_history, tail_history, types_of
from services.profile.store.attribute_store import StoredAttributes, gathered
from services.profile.store.sealed_attributes import AttributeSeals, attribute_seals

# One statement, so all of it is as of one moment, without a transaction around it. Lateral, as each
# user is to be looked up by index also before the tables were first analysed.
_READ = """
    WITH asked AS (
        SELECT k.ordinal, coalesce(l.into_key, k.user_key) AS root
        FROM unnest($2::bytea[]) WITH ORDINALITY AS k (user_key, ordinal)
        LEFT JOIN LATERAL (
            SELECT into_key FROM user_links l
            WHERE l.tenant = $1 AND l.from_key = k.user_key OFFSET 0
        ) l ON true
    ), members AS (
        SELECT ordinal, root AS user_key, NULL::timestamptz AS since FROM asked
        UNION ALL
        SELECT asked.ordinal, m.from_key, m.since FROM asked CROSS JOIN LATERAL (
            SELECT from_key, since FROM user_links m
            WHERE m.tenant = $1 AND m.into_key = asked.root OFFSET 0
        ) m
    )
    SELECT k.ordinal, k.user_key, c.epoch, c.sequence, l.epoch AS learned_epoch,
        l.through_sequence AS learned_sequence,
        h.types, h.tail, chunks.packed, p.generation_id AS set_generation_id,
        p.vector AS set_vector, p.pinned, v.generation_id, v.vector,
        a.attributes, a.sealed, a.consent, a.revision, a.updated_at
    FROM entries_cursor c JOIN learned_cursor l ON l.shard = c.shard
    CROSS JOIN members k
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
    WHERE c.shard = 0 ORDER BY k.ordinal, k.since NULLS FIRST, k.user_key
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

    user_key: of the user that was asked for, or that it is merged into. merged: who is merged into
    that one, in order; history is of all of them, and attributes what remains of all of them.
    """

    user_key: bytes
    merged: list[bytes]
    attributes: StoredAttributes | None
    history: History | None
    types: list[str]
    vector: StoredVector | None

    @property
    def consent(self) -> Consent:
        """Return what the user decided."""
        return UNDECIDED if self.attributes is None else consent_of(self.attributes.consent)

    @property
    def is_known(self) -> bool:
        """Return whether anything is known about the user."""
        parts = (self.attributes, self.history, self.vector)
        return bool(self.merged) or any(part is not None for part in parts)


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
        [
            _profile(list(own), seals)
            for _, own in itertools.groupby(rows, key=lambda row: row["ordinal"])
        ],
    )


def _profile(rows: Sequence[asyncpg.Record], seals: AttributeSeals) -> StoredProfile:
    """Return the profile of a user, whose own row is the first, and of who is merged into it."""
    own = rows[0]
    found = [one for row in rows if (one := _attributes(row, seals)) is not None]
    stored = _attributes(own, seals)
    if len(rows) > 1 and found:
        stored = gathered(stored, found)
    histories = [(_history(row), types_of(row["types"])) for row in rows if row["tail"] is not None]
    history, types = united(histories) if histories else (None, [])
    return StoredProfile(
        own["user_key"],
        [row["user_key"] for row in rows[1:]],
        stored,
        history,
        types,
        _vector(own, history is not None),
    )


def _attributes(row: asyncpg.Record, seals: AttributeSeals) -> StoredAttributes | None:
    if row["revision"] is None:
        return None
    text = seals.text(row["user_key"], row["attributes"], row["sealed"])
    if text is None:
        return None
    return StoredAttributes(
        attributes.from_json(text),
        consent_pb2.Consent.FromString(row["consent"]),
        row["revision"],
        row["updated_at"],
    )


def _history(row: asyncpg.Record) -> History:
    chunks = [chunk_history(chunk) for chunk in row["packed"] or ()]
    return joined([*chunks, tail_history(row["tail"])])


def _vector(row: asyncpg.Record, has_history: bool) -> StoredVector | None:
    if row["set_vector"] is not None:
        return StoredVector(row["set_generation_id"], row["set_vector"], True, row["pinned"])
    if row["vector"] is None or not has_history:
        return None
    learned = np.frombuffer(row["vector"], "<f2").astype("<f4")
    return StoredVector(row["generation_id"], learned.tobytes())


def _token(applied: Applied) -> bytes:
    return Position(0, applied.epoch, applied.sequence).encode()
