"""How many refused calls are written down: strangers may call as often as they like."""

import time
from collections.abc import Callable

_PER_SECOND, _BURST = 2.0, 60.0


class RefusalRate:
    """A bucket for the refused calls of a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = _BURST
        self._then = clock()
        self._left_out = 0

    def take(self) -> int | None:
        """Return how many were left out since the last that was not; None: leave this one out."""
        now = self._clock()
        self._left = min(_BURST, self._left + (now - self._then) * _PER_SECOND)
        self._then = now
        if self._left < 1.0:
            self._left_out += 1
            return None
        self._left -= 1.0
        left_out, self._left_out = self._left_out, 0
        return left_out
