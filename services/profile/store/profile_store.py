"""Reads of profiles: several users, as of one point of the feed."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from services.common.database import session
from services.common.position import Position
from services.common.progress import Applied
from services.profile import attributes
from services.profile.domain.behaviour import Behaviour
from services.profile.store.attribute_store import StoredAttributes
from services.profile.store.behaviour_store import applied_of, behaviour_of

MAX_SEEN = 5000
"""Seen items returned of one user, the newest."""

# One statement, so all of it is as of one moment, without a transaction around it. Lateral, as each
# user is to be looked up by index also before the tables were first analysed.
_READ = """
    SELECT c.epoch, c.version, c.through_sequence, b.*, a.attributes, a.revision, a.updated_at,
        CASE WHEN $3 THEN ARRAY(
            SELECT item_id FROM seen_items s WHERE s.tenant = $1 AND s.user_key = k.user_key
            ORDER BY last_sequence DESC LIMIT $4
        ) ELSE '{}' END AS seen_item_ids
    FROM feed_cursor c CROSS JOIN unnest($2::bytea[]) WITH ORDINALITY AS k (user_key, ordinal)
    LEFT JOIN LATERAL (
        SELECT * FROM behaviours b WHERE b.tenant = $1 AND b.user_key = k.user_key OFFSET 0
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT * FROM attributes a WHERE a.tenant = $1 AND a.user_key = k.user_key OFFSET 0
    ) a ON true
    WHERE c.shard = 0 ORDER BY k.ordinal
"""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What is stored of a user; a part is None when it was never there."""

    attributes: StoredAttributes | None
    behaviour: Behaviour | None
    seen_item_ids: list[str]

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

    async def read(self, tenant: str, user_keys: Sequence[bytes], include_seen: bool) -> Snapshot:
        """Return the profiles of users, one or more, and the point that all of them reflect.

        Raises:
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            rows = await connection.fetch(_READ, tenant, user_keys, include_seen, MAX_SEEN)
        if not rows:
            raise RuntimeError("the cursor of shard 0 is missing")
        return Snapshot(applied_of(rows[0]), [_profile(row) for row in rows])


def _profile(row: asyncpg.Record) -> StoredProfile:
    stored = None
    if row["revision"] is not None:
        stored = StoredAttributes(
            attributes.from_json(row["attributes"]), row["revision"], row["updated_at"]
        )
    behaviour = behaviour_of(row) if row["recent"] is not None else None
    return StoredProfile(stored, behaviour, row["seen_item_ids"])
