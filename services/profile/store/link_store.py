"""Who is merged into whom, what was asked for, and the outbox that tells others of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from harken.internal.facts.v1 import user_fact_service_pb2 as facts_pb
from services.common.database import session, store_faults
from services.profile.domain.links import Link, merged, unmerged

# Links of a tenant change one after the other: what a merge looks at stays as it is until it ends.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('harken user links ' || $1, 0))"
# Of some keys, of the users that they are, and of all who are the same user.
_AROUND = """
    WITH roots AS (
        SELECT unnest($2::bytea[]) AS key
        UNION SELECT into_key FROM user_links
            WHERE tenant = $1 AND from_key = ANY ($2) AND into_key IS NOT NULL
    )
    SELECT from_key, into_key, direct_key FROM user_links
    WHERE tenant = $1 AND into_key IS NOT NULL
        AND (from_key = ANY ($2) OR into_key IN (SELECT key FROM roots))
"""
# Revisions follow the clock, so that they also grow after a restore of this database.
_WRITE = """
    INSERT INTO user_links AS l (tenant, from_key, into_key, direct_key, revision, since, source)
    SELECT $1, k.from_key, k.into_key, k.direct_key,
        (extract(epoch FROM clock_timestamp()) * 1e6)::bigint, clock_timestamp(), $5
    FROM unnest($2::bytea[], $3::bytea[], $4::bytea[]) AS k (from_key, into_key, direct_key)
    ORDER BY k.from_key
    ON CONFLICT (tenant, from_key) DO UPDATE SET
        into_key = excluded.into_key, direct_key = excluded.direct_key,
        revision = greatest(l.revision + 1, excluded.revision),
        since = excluded.since, source = excluded.source
"""
_READ = """
    SELECT from_key, into_key, direct_key, revision, source,
        (extract(epoch FROM since) * 1e6)::bigint AS since_us
    FROM user_links
    WHERE tenant = $1 AND from_key = ANY ($2::bytea[])
"""
_NOTE = """
    INSERT INTO user_merges (tenant, from_key, into_key, unmerged, source)
    SELECT $1, k.from_key, k.into_key, $4, $5
    FROM unnest($2::bytea[], $3::bytea[]) WITH ORDINALITY AS k (from_key, into_key, ordinal)
    ORDER BY k.ordinal
"""
_TELL = """
    INSERT INTO user_fact_outbox (tenant, user_key, revision, attributes, link)
    SELECT $1, k.from_key, k.revision, '{}', k.link
    FROM unnest($2::bytea[], $3::bigint[], $4::bytea[]) AS k (from_key, revision, link)
"""
_BRING_BACK = """
    INSERT INTO user_links AS l (tenant, from_key, into_key, direct_key, revision, since, source)
    SELECT $1, k.from_key, nullif(k.into_key, ''), nullif(k.direct_key, ''), k.revision,
        to_timestamp(k.since_us / 1e6), k.source
    FROM unnest($2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::text[])
        AS k (from_key, into_key, direct_key, revision, since_us, source)
    ORDER BY k.from_key
    ON CONFLICT (tenant, from_key) DO UPDATE SET into_key = excluded.into_key,
        direct_key = excluded.direct_key, revision = excluded.revision, since = excluded.since,
        source = excluded.source
    WHERE l.revision < excluded.revision
"""
_SAME = """
    WITH root AS (
        SELECT coalesce(
            (SELECT into_key FROM user_links WHERE tenant = $1 AND from_key = $2), $2::bytea
        ) AS key
    )
    SELECT key FROM root
    UNION SELECT from_key FROM user_links
    WHERE tenant = $1 AND into_key = (SELECT key FROM root)
"""
_PAGE = """
    SELECT id, from_key, into_key, unmerged, at, source FROM user_merges
    WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3
"""
_PAGE_OF = """
    SELECT id, from_key, into_key, unmerged, at, source FROM (
        (SELECT * FROM user_merges
            WHERE tenant = $1 AND from_key = $4 AND id < $2 ORDER BY id DESC LIMIT $3)
        UNION
        (SELECT * FROM user_merges
            WHERE tenant = $1 AND into_key = $4 AND id < $2 ORDER BY id DESC LIMIT $3)
    ) found ORDER BY id DESC LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a call. into: the user; number: of those asked for whom it changed; links: of
    all asked for as they are now, and of those that followed.
    """

    into: bytes
    number: int
    links: list[facts_pb.UserLink]


@dataclass(frozen=True, slots=True)
class NotedMerge:
    """What was asked for; `place` counts up."""

    place: int
    from_key: bytes
    into_key: bytes
    unmerged: bool
    at: datetime
    source: str


class LinkStore:
    """Changes links, and lists what was asked for."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def merge(self, tenant: str, into: bytes, keys: Sequence[bytes], source: str) -> Done:
        """Merge users into one, and tell others; who is merged into it already stays so.

        Raises:
            MergedAlreadyError, MergeCycleError, TooManyMergedError: nothing was changed.
            StoreUnavailableError: the store is away. The change may be made all the same.

        """
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute(_LOCK, tenant)
            links = await _around(connection, tenant, [into, *keys])
            root, changed = merged(links, into, keys)
            fresh = [key for key in keys if key in changed]
            await _note(connection, tenant, dict.fromkeys(fresh, into), source)
            await _write(connection, tenant, changed, source)
            told = await _told(connection, tenant, [*keys, *(changed.keys() - set(keys))])
            await _tell(connection, tenant, [one for one in told if one.from_key in changed])
        return Done(root, len(fresh), told)

    async def unmerge(self, tenant: str, keys: Sequence[bytes], source: str) -> Done:
        """Take merges back, and tell others; who is not merged stays so.

        Raises:
            StoreUnavailableError: the store is away. The change may be made all the same.

        """
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute(_LOCK, tenant)
            links = await _around(connection, tenant, keys)
            changed = unmerged(links, set(keys))
            were = {key: links[key].direct for key in keys if key in links}
            await _note(connection, tenant, were, source, unmerged=True)
            await _write(connection, tenant, changed, source)
            told = await _told(connection, tenant, [*keys, *(changed.keys() - set(keys))])
            await _tell(connection, tenant, [one for one in told if one.from_key in changed])
        return Done(b"", len(were), told)

    async def same(self, tenant: str, user_key: bytes) -> list[bytes]:
        """Return the keys of all who are one person, given one of them: of the user, and of who is
        merged into the user.

        Raises:
            StoreUnavailableError: the store is away.

        """
        with store_faults():
            rows = await self._pool.fetch(_SAME, tenant, user_key)
        return [row["key"] for row in rows]

    async def bring_back(self, tenant: str, links: Sequence[facts_pb.UserLink]) -> None:
        """Set links that the log has later revisions of than we; nobody is told. Safe to repeat.

        Raises:
            StoreUnavailableError: the store is away.

        """
        latest = {one.from_key: one for one in sorted(links, key=lambda one: one.revision)}
        columns = zip(
            *(
                (one.from_key, one.into_key, one.direct_key, one.revision, one.since_us, one.source)
                for one in latest.values()
            ),
            strict=True,
        )
        with store_faults():
            await self._pool.execute(_BRING_BACK, tenant, *map(list, columns))

    async def page(
        self, tenant: str, before: int, size: int, user_key: bytes | None
    ) -> tuple[list[NotedMerge], bool]:
        """Return up to `size` of what was asked for before a place, the newest first, of a user or
        of all, and whether there is more.

        Raises:
            StoreUnavailableError: the store is away.

        """
        with store_faults():
            if user_key is None:
                rows = await self._pool.fetch(_PAGE, tenant, before, size + 1)
            else:
                rows = await self._pool.fetch(_PAGE_OF, tenant, before, size + 1, user_key)
        return [NotedMerge(*row) for row in rows[:size]], len(rows) > size


async def _around(
    connection: PoolConnectionProxy, tenant: str, keys: Sequence[bytes]
) -> dict[bytes, Link]:
    rows = await connection.fetch(_AROUND, tenant, list(keys))
    return {row["from_key"]: Link(row["into_key"], row["direct_key"]) for row in rows}


async def _write(
    connection: PoolConnectionProxy,
    tenant: str,
    changed: Mapping[bytes, Link | None],
    source: str,
) -> None:
    if changed:
        intos = [None if link is None else link.into for link in changed.values()]
        directs = [None if link is None else link.direct for link in changed.values()]
        await connection.execute(_WRITE, tenant, list(changed), intos, directs, source)


async def _note(
    connection: PoolConnectionProxy,
    tenant: str,
    asked: Mapping[bytes, bytes],
    source: str,
    *,
    unmerged: bool = False,
) -> None:
    if asked:
        await connection.execute(_NOTE, tenant, list(asked), list(asked.values()), unmerged, source)


async def _told(
    connection: PoolConnectionProxy, tenant: str, keys: Sequence[bytes]
) -> list[facts_pb.UserLink]:
    """Return links on the wire; who was never merged has none."""
    return [
        facts_pb.UserLink(
            from_key=row["from_key"],
            into_key=row["into_key"] or b"",
            direct_key=row["direct_key"] or b"",
            revision=row["revision"],
            since_us=row["since_us"],
            source=row["source"],
        )
        for row in await connection.fetch(_READ, tenant, list(keys))
    ]


async def _tell(
    connection: PoolConnectionProxy, tenant: str, links: Sequence[facts_pb.UserLink]
) -> None:
    if links:
        await connection.execute(
            _TELL,
            tenant,
            [one.from_key for one in links],
            [one.revision for one in links],
            [one.SerializeToString() for one in links],
        )
