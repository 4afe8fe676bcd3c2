"""Log lines that repeat as often as calls come: one a second, with how many it stands for."""

import time

_SECONDS = 1.0


class Seldom:
    """Whether the next of a repeated line is due; counts those that were not."""

    def __init__(self) -> None:
        self._due_at = 0.0
        self._left_out = 0

    def due(self) -> int | None:
        """Return how many lines were left out since the last, or None when this one is too."""
        now = time.monotonic()
        if now < self._due_at:
            self._left_out += 1
            return None
        self._due_at = now + _SECONDS
        left_out, self._left_out = self._left_out, 0
        return left_out
