"""User facts into the log, each revision once."""

from collections.abc import Sequence

import asyncpg

from harken.internal.facts.v1 import user_fact_service_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.consent import consent_of
from services.common.database import one_row, session
from services.common.position import Position
from services.feedback.log.log_store import SHARD, NewEntry, append_entries

_NEWER = """
    INSERT INTO user_fact_revisions AS r (tenant, user_key, revision, granted, denied)
    SELECT $1, f.* FROM unnest($2::bytea[], $3::bigint[], $4::smallint[], $5::smallint[])
        AS f (user_key, revision, granted, denied)
    ORDER BY f.user_key
    ON CONFLICT (tenant, user_key) DO UPDATE SET revision = excluded.revision,
        granted = excluded.granted, denied = excluded.denied
    WHERE r.revision < excluded.revision RETURNING user_key
"""
_HEAD = "SELECT epoch, head FROM shards WHERE shard = $1"


class UserFactStore:
    """Appends facts that are newer than what the log has."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def append(self, tenant: str, facts: Sequence[pb.UserFact]) -> tuple[int, Position]:
        """Append facts whose revision is higher than the last one of their user.

        Return how many were, and a position by which the log has all of them.
        """
        newest = {fact.user_key: fact for fact in sorted(facts, key=lambda f: f.revision)}
        consents = [consent_of(fact.consent) for fact in newest.values()]
        async with session(self._pool) as connection, connection.transaction():
            rows = await connection.fetch(
                _NEWER,
                tenant,
                list(newest),
                [fact.revision for fact in newest.values()],
                [int(one.granted) for one in consents],
                [int(one.denied) for one in consents],
            )
            if not rows:
                # Whoever was before us has committed: the lock on their rows was ours to wait for.
                head = await one_row(connection, _HEAD, SHARD)
                return 0, Position(SHARD, head["epoch"], head["head"])
            entries = [_entry(tenant, newest[row["user_key"]]) for row in rows]
            return len(rows), await append_entries(connection, entries)


def _entry(tenant: str, fact: pb.UserFact) -> NewEntry:
    logged = entry_pb2.LoggedUserFact(
        user_key=fact.user_key,
        revision=fact.revision,
        attributes=fact.attributes,
        consent=fact.consent if fact.HasField("consent") else None,
    )
    return NewEntry(tenant, fact.user_key, entry_pb2.Entry(user_fact=logged).SerializeToString())
