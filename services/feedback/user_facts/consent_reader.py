"""Which users deny that what they did is used for a purpose, as of now."""

from collections.abc import Collection

import asyncpg

from services.common.consent import Consent, Purpose
from services.common.database import store_faults

# Of who is merged, what all decided who are the same user: a denial counts before a grant.
_DECIDED = """
    SELECT k.user_key, bit_or(r.granted) AS granted, bit_or(r.denied) AS denied
    FROM unnest($2::bytea[]) AS k (user_key)
    LEFT JOIN LATERAL (
        SELECT into_key FROM user_links l
        WHERE l.tenant = $1 AND l.from_key = k.user_key OFFSET 0
    ) l ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(l.into_key, k.user_key) AS user_key
        UNION ALL
        SELECT m.from_key FROM user_links m
        WHERE m.tenant = $1 AND m.into_key = coalesce(l.into_key, k.user_key) OFFSET 0
    ) same
    CROSS JOIN LATERAL (
        SELECT granted, denied FROM user_fact_revisions r
        WHERE r.tenant = $1 AND r.user_key = same.user_key OFFSET 0
    ) r
    GROUP BY k.user_key
"""


class ConsentReader:
    """Reads what users decided, as the log has it."""

    def __init__(self, pool: asyncpg.Pool, denied_by_default: Purpose) -> None:
        """`denied_by_default`: purposes that users have to grant."""
        self._pool = pool
        self._denied_by_default = denied_by_default

    async def denying(
        self, tenant: str, user_keys: Collection[bytes], purposes: Collection[Purpose]
    ) -> set[bytes]:
        """Return those of some users who deny one of the purposes.

        Raises:
            StoreUnavailableError: the store is away.

        """
        if not user_keys:
            return set()
        with store_faults():
            rows = await self._pool.fetch(_DECIDED, tenant, list(user_keys))
        decided = {
            row["user_key"]: Consent(Purpose(row["granted"]), Purpose(row["denied"]))
            for row in rows
        }
        return {
            key
            for key in user_keys
            if not all(
                decided.get(key, Consent()).allows(purpose, self._denied_by_default)
                for purpose in purposes
            )
        }
