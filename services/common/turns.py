"""Calls begin in turn, in order of arrival.

gRPC hands calls to the event loop one by one, each when the one before has had its first go. What
waits, waits out of sight: nobody could say how many wait, or since when, and shed them. So between
two beginnings the loop goes round a few times, which brings in what has arrived, and the queue is
here. Whoever comes while nobody waits begins at once.
"""

import asyncio
import time
from collections import deque

_ROUNDS = 8
"""Rounds of the loop without a newcomer after which the next call begins: some microseconds each.
With 3, hardly more calls came in than began."""
_LONGEST_SECONDS = 0.002
"""However many come, somebody begins after this time."""


class Turns:
    """Whose turn it is; belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._passing = False
        self._rounds = 0
        self._until = 0.0

    def longest_wait(self) -> float:
        """Return for how many seconds the call that is next has been waiting; 0 when none is."""
        return time.monotonic() - self._waiting[0][0] if self._waiting else 0.0

    async def take(self) -> float:
        """Wait for one's turn; return for how many seconds.

        The turn ends by itself when the caller first waits for something else.
        """
        if not self._passing:
            self._passing = True
            self._pass_on()
            return 0.0
        self._rounds = _ROUNDS
        since = time.monotonic()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((since, turn))
        await turn
        return time.monotonic() - since

    def _pass_on(self) -> None:
        """Go round, then let the next one begin. The loop's order lets the one before go first."""
        self._rounds = _ROUNDS
        asyncio.get_running_loop().call_soon(self._first_round)

    def _first_round(self) -> None:
        self._until = time.monotonic() + _LONGEST_SECONDS
        self._round()

    def _round(self) -> None:
        if self._rounds and time.monotonic() < self._until:
            self._rounds -= 1
            asyncio.get_running_loop().call_soon(self._round)
            return
        while self._waiting:
            _, turn = self._waiting.popleft()
            # Whose caller has gone has been cancelled.
            if not turn.done():
                turn.set_result(None)
                self._pass_on()
                return
        self._passing = False
