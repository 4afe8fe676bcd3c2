"""How many calls may work at once, found by how long they take.

More at once than a process can do makes all of them slow and none more. Little's law the other way
round: as long as calls take about what the fastest took lately, more may work; when they take much
longer, they wait for each other, and fewer may.
"""

import time

_LEAST = 16
_WINDOW_SECONDS = 0.1
_MEMORY_SECONDS = 10.0
_SLACK_SECONDS = 0.1
_FACTOR = 3.0
_LESS, _MORE = 0.85, 1.1


class WorkLimit:
    """The limit, between a least and the most that is given."""

    def __init__(self) -> None:
        self._limit = 128.0
        self._fastest = [float("inf"), float("inf")]
        self._forget_at = 0.0
        self._sum = 0.0
        self._count = 0
        self._most_working = 0
        self._judge_at = 0.0

    def value(self, most: int) -> int:
        """Return how many may work at once, `most` at most."""
        return min(most, int(self._limit))

    def note(self, seconds: float, working: int, most: int) -> None:
        """Take note of a call that took some time while so many worked."""
        now = time.monotonic()
        self._fastest[0] = min(self._fastest[0], seconds)
        self._sum += seconds
        self._count += 1
        self._most_working = max(self._most_working, working)
        if now >= self._forget_at:
            self._fastest = [seconds, self._fastest[0]]
            self._forget_at = now + _MEMORY_SECONDS
        if now >= self._judge_at:
            self._judge(most)
            self._judge_at = now + _WINDOW_SECONDS
            self._sum, self._count, self._most_working = 0.0, 0, 0

    def _judge(self, most: int) -> None:
        if self._sum / self._count > _FACTOR * min(self._fastest) + _SLACK_SECONDS:
            self._limit = max(self._limit * _LESS, min(_LEAST, most))
        elif self._most_working * 2 >= self._limit:
            self._limit = min(self._limit * _MORE, max(most, _LEAST))
