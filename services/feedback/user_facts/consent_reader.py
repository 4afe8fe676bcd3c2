"""Which users deny that what they did is used for a purpose, as of now."""

from collections.abc import Collection

import asyncpg

from services.common.consent import Consent, Purpose
from services.common.database import store_faults

_DECIDED = """
    SELECT user_key, granted, denied FROM user_fact_revisions
    WHERE tenant = $1 AND user_key = ANY ($2::bytea[])
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
