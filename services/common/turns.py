"""Turns of calls that would be in each other's way, before they hold a connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.common.errors import OverloadedError


class Turns:
    """Lets one call after the other do something, while few wait."""

    def __init__(self, what: str, most_waiting: int = 32, come_again_seconds: float = 1.0) -> None:
        """`what` is waited for, in the plural, for messages; most_waiting: with those that have
        their turn; come_again_seconds: what others are told.
        """
        self._what = what
        self._most_waiting = most_waiting
        self._come_again_seconds = come_again_seconds
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self, tenant: str = "") -> AsyncIterator[None]:
        """Wait for one's turn at a tenant, or at what all tenants share, without holding a
        connection.

        Raises:
            OverloadedError: too many wait already, for turns at any tenant.

        """
        if self._waiting >= self._most_waiting:
            raise OverloadedError(
                f"{self._waiting} {self._what} are waiting", self._come_again_seconds
            )
        self._waiting += 1
        try:
            async with self._turns.setdefault(tenant, asyncio.Lock()):
                yield
        finally:
            self._waiting -= 1
