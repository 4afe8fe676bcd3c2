"""Tenants: which exist, and how a new one begins."""

from typing import Protocol

import asyncpg

from services.common.database import Connection, session, store_faults
from services.common.errors import OverloadedError, UnknownTenantError
from services.common.logs import logger
from services.common.reloadable import Reloadable
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.log.log_store import NewEntry, append_entries

_log = logger("tenants")


class BootstrapBuilder(Protocol):
    """Builds the generation that a new tenant starts with."""

    def __call__(self, tenant: str) -> "tuple[bytes, NewEntry, dict[str, bytes]]":
        """Return the serialised manifest, the log entry that activates it, and its files."""


class TenantRegistry:
    """Knows the tenants; the first catalogue change of one creates it with its generation."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        generations: GenerationStore,
        build_bootstrap: BootstrapBuilder,
        max_tenants: Reloadable[int],
    ) -> None:
        self._pool = pool
        self._generations = generations
        self._build_bootstrap = build_bootstrap
        self._max_tenants = max_tenants
        self._known: set[str] = set()

    async def require(self, tenant: str) -> None:
        """Raise UnknownTenantError when the tenant does not exist."""
        if tenant in self._known:
            return
        with store_faults():
            found = await self._pool.fetchval("SELECT 1 FROM tenants WHERE tenant = $1", tenant)
        if found is None:
            raise UnknownTenantError(tenant)
        self._known.add(tenant)

    async def ensure(self, tenant: str) -> None:
        """Create the tenant, with an active bootstrap generation, unless it exists.

        Raises:
            OverloadedError: there are as many tenants as allowed.

        """
        if tenant in self._known:
            return
        async with session(self._pool) as connection, connection.transaction():
            await self._create(connection, tenant)
        self._known.add(tenant)

    async def _create(self, connection: Connection, tenant: str) -> None:
        if await connection.fetchval("SELECT 1 FROM tenants WHERE tenant = $1", tenant):
            return
        if await connection.fetchval("SELECT count(*) FROM tenants") >= self._max_tenants.value:
            raise OverloadedError(f"there are {self._max_tenants.value} tenants already", 60.0)
        created = await connection.fetchval(
            "INSERT INTO tenants (tenant) VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1", tenant
        )
        if created is None:
            return
        manifest, activation, files = self._build_bootstrap(tenant)
        await self._generations.insert(connection, manifest, files, active=True)
        await append_entries(connection, [activation])
        _log.info("tenant created", tenant=tenant)
