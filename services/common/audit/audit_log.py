"""Appends to the audit log of one owner, a table of its schema."""

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from services.common.audit.entry import KeyOf, text_of
from services.common.database import store_faults
from services.common.errors import AuditUnwritableError, StoreUnavailableError
from services.common.logs import logger
from services.common.plain_metrics import Counts

_APPEND = "SELECT append_audit_entry($1)"
_SECONDS = 5.0
_log = logger("audit")


class AuditLog:
    """Rows, each committed before `append` returns."""

    def __init__(self, pool: asyncpg.Pool, registry: CollectorRegistry, key_of: KeyOf) -> None:
        """Append by connections of `pool`; `key_of` makes the stored keys of users."""
        self._pool = pool
        self.key_of = key_of
        entries = Counts(
            "harken_audit_entries", "Entries of the audit log, by whether they were written.",
            ["outcome"], registry,
        )  # fmt: skip
        self._written, self._failed = entries.labels("written"), entries.labels("failed")

    async def append(self, fields: Mapping[str, Any]) -> None:
        """Write a row.

        Raises:
            StoreUnavailableError: the store is away.
            AuditUnwritableError: the store is there, and does not take the row.

        """
        try:
            with store_faults():
                async with asyncio.timeout(_SECONDS):
                    await self._pool.execute(_APPEND, text_of(fields))
        except asyncpg.PostgresError as error:
            self._failed.inc()
            _log.error("the audit log takes no rows", kind=type(error).__name__)
            raise AuditUnwritableError("the audit log takes no rows") from error
        except BaseException:
            self._failed.inc()
            raise
        self._written.inc()

    async def append_late(self, fields: Mapping[str, Any]) -> None:
        """Write a row of what cannot be refused any more; that it failed is logged and counted."""
        try:
            await self.append(fields)
        except StoreUnavailableError as error:
            _log.error("an end is not audited", kind=type(error).__name__)
