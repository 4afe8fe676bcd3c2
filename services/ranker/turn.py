"""Folding in turns, so that calls are answered in between."""

import asyncio
import time

_LONGEST_SECONDS = 0.005


class Turn:
    """A turn of the event loop; begins when it is made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def end_if_long(self) -> None:
        """Let others go on, and begin the next turn, when this one took long."""
        if time.perf_counter() - self._began > _LONGEST_SECONDS:
            await asyncio.sleep(0)
            self._began = time.perf_counter()
