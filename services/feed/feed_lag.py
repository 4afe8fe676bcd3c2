"""How far a subscriber is behind the feed, in versions and in seconds."""

import time
from collections import deque
from collections.abc import Callable

_MOST_HEADS = 1024


class FeedLag:
    """Takes note of what is known to exist, and of what is applied."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells unix seconds."""
        self._clock = clock
        self._heads: deque[tuple[int, float]] = deque()
        self._applied = 0
        self._heard_at = clock()

    def heard(self, version: int, since: float = 0.0) -> None:
        """Take note that a version exists, since a unix time (0: only known to by now)."""
        now = self._clock()
        self._heard_at = now
        if version <= self._applied or (self._heads and version <= self._heads[-1][0]):
            return
        # Frames beyond what is held change nothing: the oldest one counts.
        if len(self._heads) < _MOST_HEADS:
            self._heads.append((version, min(since or now, now)))

    def head_is(self, version: int) -> None:
        """Take note of the newest version there is: a restore took back what we knew beyond it."""
        while self._heads and self._heads[-1][0] > version:
            self._heads.pop()
        self.heard(version)

    def applied(self, version: int) -> None:
        """Take note that everything up to a version is applied; it may go back."""
        self._applied = version
        while self._heads and self._heads[0][0] <= version:
            self._heads.popleft()

    def seconds(self, connected: bool) -> float:
        """Return for how long there was something, or may have been, that is not applied.

        While not connected nothing is known of what is new: then it is the time since the last
        sign of the feed, at least. Safe to call from another thread.
        """
        now = self._clock()
        try:
            waiting = now - self._heads[0][1]
        except IndexError:
            waiting = 0.0
        return max(waiting, 0.0 if connected else now - self._heard_at, 0.0)
