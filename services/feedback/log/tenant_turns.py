"""Turns of those who change one thing of a tenant, before they hold a connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.common.errors import OverloadedError

_MAX_WAITING = 32


class TenantTurns:
    """Lets one after the other do something to a tenant, while few wait."""

    def __init__(self, what: str) -> None:
        """`what` is waited for, in the plural, for messages."""
        self._what = what
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Wait for one's turn at a tenant without holding a connection.

        Raises:
            OverloadedError: too many wait already, for turns at any tenant.

        """
        if self._waiting >= _MAX_WAITING:
            raise OverloadedError(f"{self._waiting} {self._what} are waiting", 1.0)
        self._waiting += 1
        try:
            async with self._turns.setdefault(tenant, asyncio.Lock()):
                yield
        finally:
            self._waiting -= 1
