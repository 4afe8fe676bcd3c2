"""Facts about users, and who is merged into whom, into the log, each revision once."""

from collections.abc import Mapping, Sequence

import asyncpg

from harken.internal.facts.v1 import user_fact_service_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.consent import consent_of
from services.common.database import Connection, one_row, session
from services.common.position import Position
from services.common.vault.sealing import SealPurpose
from services.common.vault.vault import Seals, UserVault
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
_NEWER_LINK = """
    WITH told AS (
        SELECT k.*, (
            SELECT into_key FROM user_links b WHERE b.tenant = $1 AND b.from_key = k.from_key
        ) AS was
        FROM unnest($2::bytea[], $3::bytea[], $4::bigint[]) AS k (from_key, into_key, revision)
    ), newer AS (
        INSERT INTO user_links AS l (tenant, from_key, into_key, revision)
        SELECT $1, from_key, into_key, revision FROM told ORDER BY from_key
        ON CONFLICT (tenant, from_key) DO UPDATE SET
            into_key = excluded.into_key, revision = excluded.revision
        WHERE l.revision < excluded.revision RETURNING from_key
    )
    SELECT newer.from_key, told.was FROM newer JOIN told ON told.from_key = newer.from_key
"""
_HEAD = "SELECT epoch, head FROM shards WHERE shard = $1"


class UserFactStore:
    """Appends facts that are newer than what the log has."""

    def __init__(self, pool: asyncpg.Pool, vault: UserVault) -> None:
        self._pool = pool
        self._vault = vault

    async def append(
        self, tenant: str, facts: Sequence[pb.UserFact], links: Sequence[pb.UserLink] = ()
    ) -> tuple[int, Position]:
        """Append facts and links whose revision is higher than the last one of their user.

        Return how many were, and a position by which the log has all of them.
        """
        newest = {fact.user_key: fact for fact in sorted(facts, key=lambda f: f.revision)}
        seals = None
        if self._vault.pseudonyms.keyed and newest:
            seals = await self._vault.seals(tenant, newest)
        async with session(self._pool) as connection, connection.transaction():
            entries = await _new_facts(connection, tenant, newest, seals)
            entries += await _new_links(connection, tenant, links)
            if not entries:
                # Whoever was before us has committed: the lock on their rows was ours to wait for.
                head = await one_row(connection, _HEAD, SHARD)
                return 0, Position(SHARD, head["epoch"], head["head"])
            return len(entries), await append_entries(connection, entries)


async def _new_facts(
    connection: Connection, tenant: str, newest: Mapping[bytes, pb.UserFact], seals: Seals | None
) -> list[NewEntry]:
    """Take note of facts that are news, and return their entries; `seals`: None where nothing is
    sealed.
    """
    if not newest:
        return []
    consents = [consent_of(fact.consent) for fact in newest.values()]
    rows = await connection.fetch(
        _NEWER,
        tenant,
        list(newest),
        [fact.revision for fact in newest.values()],
        [int(one.granted) for one in consents],
        [int(one.denied) for one in consents],
    )
    return [_entry(tenant, newest[row["user_key"]], seals) for row in rows]


async def _new_links(
    connection: Connection, tenant: str, links: Sequence[pb.UserLink]
) -> list[NewEntry]:
    """Take note of links that are news, and return their entries."""
    newest = {link.from_key: link for link in sorted(links, key=lambda one: one.revision)}
    if not newest:
        return []
    rows = await connection.fetch(
        _NEWER_LINK,
        tenant,
        list(newest),
        [link.into_key or None for link in newest.values()],
        [link.revision for link in newest.values()],
    )
    # A user comes before those who follow it: they were merged into it before.
    return [
        _link_entry(tenant, newest[row["from_key"]], row["was"])
        for row in sorted(rows, key=lambda row: newest[row["from_key"]].revision)
    ]


def _entry(tenant: str, fact: pb.UserFact, seals: Seals | None) -> NewEntry:
    """Return a fact as it is logged; `seals`: None where nothing is sealed."""
    logged = entry_pb2.LoggedUserFact(
        user_key=fact.user_key,
        revision=fact.revision,
        consent=fact.consent if fact.HasField("consent") else None,
    )
    if seals is None:
        logged.attributes.CopyFrom(fact.attributes)
    else:
        plain = fact.attributes.SerializeToString(deterministic=True)
        # Without the user's key, which was destroyed meanwhile, there is nothing left to say.
        logged.sealed_attributes = seals.seal(fact.user_key, SealPurpose.ATTRIBUTES, plain) or b""
    return NewEntry(tenant, fact.user_key, entry_pb2.Entry(user_fact=logged).SerializeToString())


def _link_entry(tenant: str, link: pb.UserLink, was: bytes | None) -> NewEntry:
    """Return the entry of a link. was: the user that somebody was until now."""
    logged = entry_pb2.LoggedUserLink(
        from_key=link.from_key,
        into_key=link.into_key or was or b"",
        direct_key=link.direct_key,
        revision=link.revision,
        since_us=link.since_us,
        source=link.source,
    )
    entry = entry_pb2.Entry()
    (entry.users_merged if link.into_key else entry.users_unmerged).CopyFrom(logged)
    return NewEntry(tenant, link.from_key, entry.SerializeToString())
