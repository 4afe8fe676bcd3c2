"""Attributes of users, and the outbox that tells others of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from google.protobuf.struct_pb2 import Struct

from services.common.database import session
from services.common.errors import EtagMismatchError
from services.profile import attributes
from services.profile.domain.attribute_rules import etag_of

# A row to lock, also for a user who has none yet; revision 0 never outlives the transaction.
_ENSURE = """
    INSERT INTO attributes (tenant, user_key, attributes, revision, updated_at)
    VALUES ($1, $2, '{}', 0, now()) ON CONFLICT DO NOTHING
"""
_LOCK = """
    SELECT attributes, revision, updated_at FROM attributes
    WHERE tenant = $1 AND user_key = $2 FOR UPDATE
"""
# Revisions follow the clock, so that they also grow after a restore of this database, when others
# know later ones than we do.
_WRITE = """
    UPDATE attributes SET
        attributes = $3,
        revision = greatest(revision + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint),
        updated_at = clock_timestamp()
    WHERE tenant = $1 AND user_key = $2
    RETURNING revision, updated_at
"""
_TELL = """
    INSERT INTO user_fact_outbox (tenant, user_key, revision, attributes) VALUES ($1, $2, $3, $4)
"""


@dataclass(frozen=True, slots=True)
class StoredAttributes:
    """Attributes of a user as of a revision (at least 1)."""

    attributes: Struct
    revision: int
    updated_at: datetime


class AttributeStore:
    """Changes attributes, one user at a time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def update(
        self, tenant: str, user_key: bytes, etag: str, change: Callable[[Struct], Struct]
    ) -> StoredAttributes:
        """Replace a user's attributes by what `change` makes of them, and tell others.

        A change that changes nothing writes nothing, unless it is the first. What `change` raises
        passes through, and nothing is written.

        Raises:
            EtagMismatchError: `etag` is not empty and not that of the stored revision.
            StoreUnavailableError: the store is away. The change may be made all the same.

        """
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute(_ENSURE, tenant, user_key)
            row = await connection.fetchrow(_LOCK, tenant, user_key)
            if row is None:
                raise RuntimeError("a row that was just ensured is gone")
            revision: int = row["revision"]
            if etag and etag != etag_of(revision):
                raise EtagMismatchError("the profile changed since it was read: read it again")
            stored = attributes.from_json(row["attributes"])
            changed = change(stored)
            if revision and changed == stored:
                return StoredAttributes(stored, revision, row["updated_at"])
            text = attributes.to_json(changed)
            written = await connection.fetchrow(_WRITE, tenant, user_key, text)
            if written is None:
                raise RuntimeError("a row that was just locked is gone")
            await connection.execute(_TELL, tenant, user_key, written["revision"], text)
            return StoredAttributes(changed, written["revision"], written["updated_at"])
