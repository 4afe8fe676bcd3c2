"""Reads of profiles: several users, as of one point of the feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import asyncpg

from services.common.database import session
from services.common.position import Position
from services.common.progress import Applied
from services.common.seen_window import SEEN_LENGTH
from services.profile import attributes
from services.profile.domain.behaviour import Behaviour
from services.profile.domain.seen_events import SeenItem, SeenPairs, seen_pairs
from services.profile.store.attribute_store import StoredAttributes
from services.profile.store.behaviour_store import applied_of, behaviour_of

_READ = """
    SELECT c.epoch, c.version, c.through_sequence, b.*, a.attributes, a.revision, a.updated_at,
        {columns}
    FROM feed_cursor c CROSS JOIN unnest($2::bytea[]) WITH ORDINALITY AS k (user_key, ordinal)
    LEFT JOIN LATERAL (
        SELECT * FROM behaviours b WHERE b.tenant = $1 AND b.user_key = k.user_key OFFSET 0
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT * FROM attributes a WHERE a.tenant = $1 AND a.user_key = k.user_key OFFSET 0
    ) a ON true
    {joined}
    WHERE c.shard = 0 ORDER BY k.ordinal
"""
# One statement, so all of it is as of one moment, without a transaction around it. Lateral, as each
# user is to be looked up by index also before the tables were first analysed.
_READ_IDS = _READ.format(
    columns=f"""
        CASE WHEN $3 THEN ARRAY(
            SELECT item_id FROM seen_items s WHERE s.tenant = $1 AND s.user_key = k.user_key
            ORDER BY last_sequence DESC LIMIT {SEEN_LENGTH}
        ) ELSE '{{}}' END AS seen_item_ids
    """,
    joined="",
)
# With ties: of items of one time the later ones in the log are newer, which only their events tell.
_READ_BY_TYPE = _READ.format(
    columns="""
        seen.*, ARRAY(SELECT type FROM event_types ORDER BY code) AS types,
        ARRAY(SELECT code FROM event_types ORDER BY code) AS codes
    """,
    joined=f"""
        CROSS JOIN LATERAL (
            SELECT array_agg(item_id) AS seen_item_ids, array_agg(events) AS seen_events,
                array_agg(last_sequence) AS seen_sequences,
                array_agg(last_event_us) AS seen_times, array_agg(happened) AS seen_happened
            FROM (
                SELECT * FROM seen_items s WHERE s.tenant = $1 AND s.user_key = k.user_key
                ORDER BY last_event_us DESC FETCH FIRST {SEEN_LENGTH} ROWS WITH TIES
            ) newest
        ) seen
    """,
)


class Seen(Enum):
    """What is read of seen items."""

    NOTHING = 0
    IDS = 1
    BY_TYPE = 2


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What is stored of a user; a part is None when it was never there.

    Of seen items there are ids or pairs, as was asked.
    """

    attributes: StoredAttributes | None
    behaviour: Behaviour | None
    seen_item_ids: list[str]
    seen: SeenPairs | None = None

    @property
    def is_known(self) -> bool:
        """Return whether anything is known about the user."""
        return self.attributes is not None or self.behaviour is not None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Profiles as of one point of the feed, in the order they were asked for."""

    applied: Applied
    profiles: list[StoredProfile]

    def position(self) -> bytes:
        """Return the token of that point."""
        return Position(0, self.applied.epoch, self.applied.sequence).encode()


class ProfileStore:
    """Reads profiles."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, tenant: str, user_keys: Sequence[bytes], seen: Seen) -> Snapshot:
        """Return the profiles of users, one or more, and the point that all of them reflect.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            if seen is Seen.BY_TYPE:
                rows = await connection.fetch(_READ_BY_TYPE, tenant, user_keys)
            else:
                rows = await connection.fetch(_READ_IDS, tenant, user_keys, seen is Seen.IDS)
        if not rows:
            raise RuntimeError("the cursor of shard 0 is missing")
        return Snapshot(applied_of(rows[0]), [_profile(row, seen is Seen.BY_TYPE) for row in rows])


def _profile(row: asyncpg.Record, by_type: bool) -> StoredProfile:
    stored = None
    if row["revision"] is not None:
        stored = StoredAttributes(
            attributes.from_json(row["attributes"]), row["revision"], row["updated_at"]
        )
    behaviour = behaviour_of(row) if row["recent"] is not None else None
    if by_type:
        return StoredProfile(stored, behaviour, [], _pairs(row))
    return StoredProfile(stored, behaviour, row["seen_item_ids"])


def _pairs(row: asyncpg.Record) -> SeenPairs | None:
    if row["seen_item_ids"] is None:
        return None
    columns = ("seen_item_ids", "seen_events", "seen_sequences", "seen_times", "seen_happened")
    items = [SeenItem(*item) for item in zip(*(row[name] for name in columns), strict=True)]
    return seen_pairs(items, dict(zip(row["codes"], row["types"], strict=True)))
