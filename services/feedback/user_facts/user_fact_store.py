"""User facts into the log, each revision once."""

from collections.abc import Sequence

import asyncpg

from harken.internal.facts.v1 import user_fact_service_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.database import session
from services.common.position import Position
from services.common.vault.sealing import SealPurpose
from services.common.vault.vault import Seals, UserVault
from services.feedback.log.log_store import NewEntry, append_entries


class UserFactStore:
    """Appends facts that are newer than what the log has."""

    def __init__(self, pool: asyncpg.Pool, vault: UserVault) -> None:
        self._pool = pool
        self._vault = vault

    async def append(
        self, tenant: str, facts: Sequence[pb.UserFact]
    ) -> tuple[int, Position | None]:
        """Append facts whose revision is higher than the last one of their user.

        Return how many were, and the position when any was.
        """
        newest = {fact.user_key: fact for fact in sorted(facts, key=lambda f: f.revision)}
        seals = None
        if self._vault.pseudonyms.keyed:
            seals = await self._vault.seals(tenant, newest)
        async with session(self._pool) as connection, connection.transaction():
            rows = await connection.fetch(
                "INSERT INTO user_fact_revisions AS r (tenant, user_key, revision)"
                " SELECT $1, f.user_key, f.revision"
                " FROM unnest($2::bytea[], $3::bigint[]) AS f (user_key, revision)"
                " ORDER BY f.user_key"
                " ON CONFLICT (tenant, user_key) DO UPDATE SET revision = excluded.revision"
                " WHERE r.revision < excluded.revision RETURNING user_key",
                tenant,
                list(newest),
                [fact.revision for fact in newest.values()],
            )
            if not rows:
                return 0, None
            entries = [_entry(tenant, newest[row["user_key"]], seals) for row in rows]
            return len(rows), await append_entries(connection, entries)


def _entry(tenant: str, fact: pb.UserFact, seals: Seals | None) -> NewEntry:
    """Return a fact as it is logged; `seals`: None where nothing is sealed."""
    logged = entry_pb2.LoggedUserFact(user_key=fact.user_key, revision=fact.revision)
    if seals is None:
        logged.attributes.CopyFrom(fact.attributes)
    else:
        plain = fact.attributes.SerializeToString(deterministic=True)
        # Without the user's key, which was destroyed meanwhile, there is nothing left to say.
        logged.sealed_attributes = seals.seal(fact.user_key, SealPurpose.ATTRIBUTES, plain) or b""
    return NewEntry(tenant, fact.user_key, entry_pb2.Entry(user_fact=logged).SerializeToString())
