"""How far a process has folded the feed, and waiting for it to get further."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from services.common.call_slot import waiting
from services.common.errors import EpochLostError, StaleError
from services.common.position import Position

_MOST_AHEAD = 10_000_000
"""Entries between what is applied and a position that one waits for; a position of the future is
answered stale at once."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A point of the feed: the last frame applied and the log sequence it reflects."""

    epoch: int = 0
    version: int = 0
    sequence: int = 0


class Progress:
    """The point applied so far; callers wait for positions."""

    def __init__(self, applied: Applied | None = None) -> None:
        self.applied = applied or Applied()
        self._forks: Mapping[int, int] | None = None
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._asked = asyncio.Event()
        self._token_of: tuple[Applied, bytes] | None = None

    def learn_forks(self, forks: Mapping[int, int]) -> None:
        """Take note of where earlier epochs ended: epoch -> last sequence that is in the log."""
        self._forks = dict(forks)

    def advance(self, applied: Applied) -> None:
        """Move to a later point, and wake who waited for it."""
        self.applied = applied
        while self._waiting and self._waiting[0][0] <= applied.sequence:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)

    async def asked(self) -> None:
        """Return once a caller waits for a position."""
        self._asked.clear()
        if all(future.done() for _, _, future in self._waiting):
            await self._asked.wait()

    def position(self) -> bytes:
        """Return the token of the point applied."""
        # Every slate has one, and most have that of the slate before.
        last = self._token_of
        if last is None or last[0] is not self.applied:
            token = Position(0, self.applied.epoch, self.applied.sequence).encode()
            last = self._token_of = self.applied, token
        return last[1]

    def forget(self) -> None:
        """Go back to nothing: what was applied is not part of the log."""
        self.applied = Applied()
        self._forks = None

    def holds(self, position: Position) -> bool:
        """Return whether a position is of the log that is followed, as far as that is known."""
        if self._forks is None or self._fault_of(position):
            return False
        here = self.applied
        # It knows of a restore of which nothing was applied yet: we may be on the fork.
        left = here.sequence if position.epoch <= here.epoch else self._forks.get(here.epoch, 0)
        return here.sequence <= left

    async def reach(
        self, wanted: Position | None, budget: float, strict: bool, field: str = "min_position"
    ) -> bool:
        """Wait until `wanted` is applied, `budget` seconds at most; return whether it is.

        `field`: what callers know it by.

        Raises:
            EpochLostError: `wanted` lies on a fork that was abandoned.
            OverloadedError: too many callers wait already.
            StaleError: strict, and not reached in time.

        """
        if wanted is None:
            return True
        self._refuse_lost(wanted, field)
        if not self._reached(wanted) and self._can_come(wanted):
            await self._wait(wanted, budget)
            self._refuse_lost(wanted, field)
        reached = self._reached(wanted)
        if strict and not reached:
            raise StaleError(f"{field} was not reached within {budget:.3f} s")
        return reached

    def _reached(self, wanted: Position) -> bool:
        return wanted.epoch <= self.applied.epoch and wanted.sequence <= self.applied.sequence

    def _can_come(self, wanted: Position) -> bool:
        """Return whether waiting can help: nothing writes or folds so much within any budget."""
        return wanted.sequence - self.applied.sequence <= _MOST_AHEAD

    def _refuse_lost(self, wanted: Position, field: str) -> None:
        fault = self._fault_of(wanted)
        if fault:
            raise EpochLostError(f"{field}: {fault}")

    def _fault_of(self, wanted: Position) -> str:
        """Return how a position was lost; empty when it was not, as far as is known."""
        if self._forks is None:
            return ""
        last = self._forks.get(wanted.epoch)
        if last is None and wanted.epoch < self.applied.epoch:
            return f"epoch {wanted.epoch} was abandoned as a whole by a restore"
        if last is not None and wanted.sequence > last:
            return (
                f"it lies {wanted.sequence - last} entries beyond the point where epoch"
                f" {wanted.epoch} was left by a restore"
            )
        return ""

    async def _wait(self, wanted: Position, budget: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (wanted.sequence, next(self._order), future))
        self._asked.set()
        try:
            async with waiting():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(budget):
                        await future
        finally:
            # The heap drops the cancelled future when its sequence is reached; a sequence that
            # never comes would stay, so dead entries are swept once they are the majority.
            if sum(f.done() for _, _, f in self._waiting) * 2 > len(self._waiting):
                self._waiting = [entry for entry in self._waiting if not entry[2].done()]
                heapq.heapify(self._waiting)
