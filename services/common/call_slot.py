"""The place that a call takes among those that work, and leaving it while it only waits."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar

from services.common.errors import OverloadedError


class Waiters:
    """Calls that wait for a position: a bound for all, and half of it for one tenant or peer."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._all = 0
        self._of: dict[str, int] = {}

    @property
    def count(self) -> int:
        """Return how many wait."""
        return self._all

    @contextlib.contextmanager
    def one_more(self, *owners: str) -> Iterator[None]:
        """Count one more.

        Raises:
            OverloadedError: too many wait, or too many of an owner.

        """
        most = self._most()
        share = max(1, most // 2)
        if self._all >= most or any(self._of.get(owner, 0) >= share for owner in owners):
            raise OverloadedError("too many calls wait for a position")
        self._all += 1
        for owner in owners:
            self._of[owner] = self._of.get(owner, 0) + 1
        try:
            yield
        finally:
            self._all -= 1
            for owner in owners:
                self._of[owner] -= 1
                if not self._of[owner]:
                    del self._of[owner]


class Rest:
    """How a call stops working for a while, and how long it did."""

    def __init__(
        self,
        stop: Callable[[], None],
        take_turn: Callable[[], Awaitable[None]],
        go_on: Callable[[], None],
    ) -> None:
        self._stop = stop
        self._take_turn = take_turn
        self._go_on = go_on
        self.seconds = 0.0

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Rest in this block; work goes on in turn."""
        began = time.perf_counter()
        self._stop()
        try:
            yield
            await self._take_turn()
        finally:
            self._go_on()
            self.seconds += time.perf_counter() - began


class CallSlot:
    """The place of one call."""

    def __init__(self, waiters: Waiters, owners: tuple[str, ...], rest: Rest) -> None:
        """`owners`: whose shares of the waiters it takes."""
        self._waiters = waiters
        self._owners = owners
        self._rest = rest

    @contextlib.asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Give the place to others meanwhile; take a turn again afterwards."""
        with self._waiters.one_more(*self._owners):
            async with self._rest.taken():
                yield


CURRENT: ContextVar[CallSlot | None] = ContextVar("harken_call_slot", default=None)
"""Of the call that the current task handles, if it has one."""


@contextlib.asynccontextmanager
async def waiting() -> AsyncIterator[None]:
    """Wait in this block without being counted as working.

    Raises:
        OverloadedError: too many wait already.

    """
    slot = CURRENT.get()
    if slot is None:
        yield
        return
    async with slot.waiting():
        yield
