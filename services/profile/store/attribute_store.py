"""Attributes and consent of users, and the outbox that tells others of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg
from google.protobuf.struct_pb2 import Struct

from harken.common.v1 import consent_pb2
from services.common.consent import consent_of, encoded_consent, strictest
from services.common.database import session, store_faults
from services.common.errors import EtagMismatchError, StoreUnavailableError
from services.common.vault.vault import UserVault
from services.profile import attributes
from services.profile.domain.attribute_rules import etag_of
from services.profile.store.sealed_attributes import NOTHING, attribute_seals

# A row to lock, also for a user who has none yet; revision 0 never outlives the transaction.
_ENSURE = """
    INSERT INTO attributes (tenant, user_key, attributes, revision, updated_at)
    VALUES ($1, $2, '{}', 0, now()) ON CONFLICT DO NOTHING
"""
_LOCK = """
    SELECT attributes, sealed, consent, revision, updated_at FROM attributes
    WHERE tenant = $1 AND user_key = $2 FOR UPDATE
"""
# Revisions follow the clock, so that they also grow after a restore of this database, when others
# know later ones than we do.
_WRITE = """
    UPDATE attributes SET
        attributes = $3, sealed = $4, consent = $5, granted = $6, denied = $7,
        revision = greatest(revision + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint),
        updated_at = clock_timestamp()
    WHERE tenant = $1 AND user_key = $2
    RETURNING revision, updated_at
"""
# A revision is the clock's at the time of the change, or one more than the last.
_BRING_BACK = """
    INSERT INTO attributes AS a (
        tenant, user_key, attributes, sealed, revision, updated_at, consent, granted, denied
    )
    SELECT $1, f.user_key, f.attributes, f.sealed, f.revision,
        to_timestamp(least(f.revision / 1e6, extract(epoch FROM clock_timestamp()))),
        f.consent, f.granted, f.denied
    FROM unnest(
        $2::bytea[], $3::jsonb[], $4::bytea[], $5::bigint[], $6::bytea[], $7::smallint[],
        $8::smallint[]
    ) AS f (user_key, attributes, sealed, revision, consent, granted, denied)
    ORDER BY f.user_key
    ON CONFLICT (tenant, user_key) DO UPDATE SET attributes = excluded.attributes,
        sealed = excluded.sealed, consent = excluded.consent, granted = excluded.granted,
        denied = excluded.denied, revision = excluded.revision, updated_at = excluded.updated_at
    WHERE a.revision < excluded.revision
"""
# Running sums, so that the limit ends the scan. Attributes come up to so many bytes of JSON, and
# those of the first row in any case.
_PAGE = """
    SELECT user_key, consent, revision, updated_at,
        CASE WHEN size <= $4 OR place = 1 THEN attributes END AS attributes,
        CASE WHEN size <= $4 OR place = 1 THEN sealed END AS sealed
    FROM (
        SELECT user_key, attributes, sealed, consent, revision, updated_at,
            sum(octet_length(attributes::text) + coalesce(octet_length(sealed), 0))
                OVER (ORDER BY user_key) AS size,
            row_number() OVER (ORDER BY user_key) AS place
        FROM attributes WHERE tenant = $1 AND user_key > $2 ORDER BY user_key LIMIT $3
    ) page ORDER BY user_key
"""
_TELL = """
    INSERT INTO user_fact_outbox (tenant, user_key, revision, attributes, sealed, consent)
    VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class StoredAttributes:
    """Attributes and consent of a user as of a revision (at least 1). Where all of it is of others
    who are merged into the user, revision is 0, and updated_at None.
    """

    attributes: Struct
    consent: consent_pb2.Consent
    revision: int
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoggedFact:
    """Attributes of a user, as JSON text, and consent, serialised, as the log has them as of a
    revision.
    """

    user_key: bytes
    revision: int
    attributes: str
    consent: bytes


class Facts(NamedTuple):
    """What an update changes."""

    attributes: Struct
    consent: consent_pb2.Consent


def gathered(
    own: StoredAttributes | None, all_of_them: Sequence[StoredAttributes]
) -> StoredAttributes:
    """Return what remains of a user's own and of what others have who are merged into the user:
    what the user lacks, from the first who has it, and of consent the strictest.
    """
    attributes_of_all = Struct()
    for one in reversed(all_of_them):
        for name, value in one.attributes.fields.items():
            attributes_of_all.fields[name].CopyFrom(value)
    return StoredAttributes(
        attributes_of_all,
        strictest([one.consent for one in all_of_them]),
        0 if own is None else own.revision,
        None if own is None else own.updated_at,
    )


class AttributeStore:
    """Changes attributes, one user at a time, and lists them."""

    def __init__(self, pool: asyncpg.Pool, vault: UserVault) -> None:
        self._pool = pool
        self._vault = vault

    async def update(
        self, tenant: str, user_key: bytes, etag: str, change: Callable[[Facts], Facts]
    ) -> StoredAttributes:
        """Replace the facts of a user, who was admitted, by what `change` makes of them, and tell
        others.

        A change that changes nothing writes nothing, unless it is the first. What `change` raises
        passes through, and nothing is written.

        Raises:
            EtagMismatchError: `etag` is not empty and not that of the stored revision.
            StoreUnavailableError: the store is away. The change may be made all the same.

        """
        seals = await attribute_seals(self._vault, tenant, [user_key])
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute(_ENSURE, tenant, user_key)
            row = await connection.fetchrow(_LOCK, tenant, user_key)
            if row is None:
                raise RuntimeError("a row that was just ensured is gone")
            revision: int = row["revision"]
            if etag and etag != etag_of(revision):
                raise EtagMismatchError("the profile changed since it was read: read it again")
            text = seals.text(user_key, row["attributes"], row["sealed"])
            stored = Facts(
                Struct() if text is None else attributes.from_json(text),
                consent_pb2.Consent.FromString(row["consent"]),
            )
            changed = change(stored)
            if revision and changed == stored:
                return StoredAttributes(*stored, revision, row["updated_at"])
            columns = seals.sealed(user_key, attributes.to_json(changed.attributes))
            if columns is None:
                raise StoreUnavailableError("the user was erased at this moment: repeat the call")
            consent, decided = changed.consent.SerializeToString(), consent_of(changed.consent)
            written = await connection.fetchrow(
                _WRITE, tenant, user_key, *columns, consent, *decided
            )
            if written is None:
                raise RuntimeError("a row that was just locked is gone")
            await connection.execute(
                _TELL, tenant, user_key, written["revision"], *columns, consent
            )
            return StoredAttributes(*changed, written["revision"], written["updated_at"])

    async def bring_back(self, tenant: str, facts: Sequence[LoggedFact]) -> None:
        """Set attributes that the log has later revisions of than we; nobody is told.

        Of several facts about a user the latest counts, and of one whose key was destroyed none.
        Safe to repeat.

        Raises:
            StoreUnavailableError: the store is away.

        """
        latest = {fact.user_key: fact for fact in sorted(facts, key=lambda one: one.revision)}
        seals = await attribute_seals(self._vault, tenant, latest)
        rows = [
            (
                user_key,
                *columns,
                fact.revision,
                fact.consent,
                *map(int, encoded_consent(fact.consent)),
            )
            for user_key, fact in latest.items()
            if (columns := seals.sealed(user_key, fact.attributes)) is not None
        ]
        if not rows:
            return
        with store_faults():
            await self._pool.execute(_BRING_BACK, tenant, *map(list, zip(*rows, strict=True)))

    async def page(
        self, tenant: str, after_key: bytes, size: int, max_bytes: int
    ) -> tuple[list[tuple[bytes, StoredAttributes]], bool]:
        """Return up to `size` users whose key follows `after_key`, in byte order of keys, and
        whether there are more. Beyond `max_bytes` of JSON a page ends early. Attributes that were
        sealed by a key that was destroyed are none.

        Raises:
            StoreUnavailableError: the store is away.

        """
        with store_faults():
            rows = await self._pool.fetch(_PAGE, tenant, after_key, size + 1, max_bytes)
        kept = [row for row in rows[:size] if row["attributes"] is not None]
        sealed = [row["user_key"] for row in kept if row["sealed"] is not None]
        seals = await attribute_seals(self._vault, tenant, sealed)
        page = []
        for row in kept:
            text = seals.text(row["user_key"], row["attributes"], row["sealed"])
            stored = StoredAttributes(
                attributes.from_json(text or NOTHING),
                consent_pb2.Consent.FromString(row["consent"]),
                row["revision"],
                row["updated_at"],
            )
            page.append((row["user_key"], stored))
        return page, len(rows) > len(page)
