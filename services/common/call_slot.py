"""The place that a call takes among those that work, and leaving it while it only waits."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Protocol

from services.common.call_class import CallClass
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


class Workplace(Protocol):
    """Where calls work."""

    waiters: Waiters

    def stop_working(self) -> None:
        """Give the place of a call to others."""

    async def work_on(self, kind: CallClass, flow: tuple[str, str]) -> None:
        """Wait for the turn of a call that had stopped."""

    def works_again(self) -> None:
        """Take a place again, whether the turn came or the call is given up."""


class CallSlot:
    """The place of one call."""

    __slots__ = ("_at", "_find_flow", "_flow", "_kind", "rested")

    def __init__(self, at: Workplace, kind: CallClass, flow: Callable[[], tuple[str, str]]) -> None:
        """`flow` finds tenant and peer, who both have a share of the waiters; most calls do not
        wait, so it is called when it is first needed.
        """
        self._at = at
        self._kind = kind
        self._find_flow = flow
        self._flow: tuple[str, str] | None = None
        self.rested = 0.0
        """Seconds that it did not work."""

    @property
    def flow(self) -> tuple[str, str]:
        """Return tenant and peer."""
        if self._flow is None:
            self._flow = self._find_flow()
        return self._flow

    @contextlib.asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Give the place to others meanwhile; take a turn again afterwards."""
        tenant, peer = self.flow
        with self._at.waiters.one_more(f"tenant {tenant}", f"peer {peer}"):
            began = time.perf_counter()
            self._at.stop_working()
            try:
                yield
                await self._at.work_on(self._kind, self.flow)
            finally:
                self._at.works_again()
                self.rested += time.perf_counter() - began


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
