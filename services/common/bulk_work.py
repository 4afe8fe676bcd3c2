"""Work in slices that lets others go first: large requests, pages of exports."""

import asyncio
from types import TracebackType

_ROUNDS = 6
"""Of the loop between two slices: a small call needs about as many from its arrival to its end."""


class BulkWork:
    """Slices of all bulk work of a process, one at a time; belongs to one event loop.

    Without it as many slices as there is bulk work would lie between two steps of a small call.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        """Wait until no other slice is being worked on, and let others have their go."""
        await self._lock.acquire()
        try:
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the next slice begin."""
        self._lock.release()
