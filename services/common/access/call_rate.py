"""How often a principal may call: a token bucket each."""

import time
from collections import OrderedDict
from collections.abc import Callable

from services.common.errors import RateLimitedError
from services.common.reloadable import Reloadable

BURST_SECONDS = 2.0
"""So many seconds of calls may come at once."""
_MOST = 100_000
"""Principals remembered; whose bucket is full again may be forgotten, and the oldest are."""


class CallRate:
    """Counts calls of principals by name."""

    def __init__(
        self, per_second: Reloadable[float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Let each call `per_second` times a second; 0 is no limit."""
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What is left, and when that was."""

    def take(self, name: str) -> None:
        """Count a call.

        Raises:
            RateLimitedError: there are too many.

        """
        rate = self._per_second.value
        if not rate:
            return
        now, most = self._clock(), max(1.0, rate * BURST_SECONDS)
        left, then = self._buckets.pop(name, (most, now))
        left = min(most, left + (now - then) * rate)
        if left < 1.0:
            self._buckets[name] = (left, now)
            raise RateLimitedError((1.0 - left) / rate)
        self._buckets[name] = (left - 1.0, now)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
