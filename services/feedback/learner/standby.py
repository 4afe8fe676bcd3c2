"""Standing by: waiting for the right to lead with the state warm.

A standby folds what the learner commits, so that it has next to nothing to load when its turn
comes. That costs the memory of a learner and the processor time of a ranker's fold.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass

import asyncpg

from services.common.database import Connection
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.feed.progress import Applied
from services.feedback.feed_server.frame_store import FrameStore
from services.feedback.learner.leadership import try_lead
from services.feedback.learner.learner_state import LearnerState

_TRY_SECONDS = 0.1
_WARM_SECONDS = 0.1
_log = logger("standby")


@dataclass(frozen=True, slots=True)
class Turn:
    """A term that began; `last_fold` ends with the last fold of standing by."""

    term: int
    last_fold: Awaitable[object]


class Standby:
    """Waits its turn to lead."""

    def __init__(
        self, state: LearnerState, frames: FrameStore, holder: str, lease_seconds: float
    ) -> None:
        """Try ten times a second to lead as `holder`, also when who leads is silent for a lease."""
        self._state = state
        self._frames = frames
        self._holder = holder
        self._lease_seconds = lease_seconds

    @contextlib.asynccontextmanager
    async def turn(self, connection: Connection) -> AsyncIterator[Turn]:
        """Begin the block once `connection` leads.

        Until the last fold has ended, the state is not the caller's. It may take as long as
        loading: say meanwhile that we are alive.

        Raises:
            StoreUnavailableError: the store is away.

        """
        ours = asyncio.Event()
        term = await try_lead(connection, self._holder, self._lease_seconds)
        if term is None:
            _log.info("standing by")
        else:
            ours.set()
        warming = asyncio.create_task(self._keep_warm(ours))
        try:
            while term is None:
                await asyncio.sleep(_TRY_SECONDS)
                term = await try_lead(connection, self._holder, self._lease_seconds)
            ours.set()
            yield Turn(term, warming)
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)

    async def _keep_warm(self, ours: asyncio.Event) -> None:
        while not ours.is_set():
            try:
                head = await self._frames.head()
                await self._state.catch_up(
                    self._frames, Applied(head.epoch, head.version, head.sequence)
                )
            except (StoreUnavailableError, LookupError, ValueError, asyncpg.PostgresError) as error:
                # Whoever leads next loads anew, and says loudly what is wrong if it still is.
                _log.warning("the state is not warm", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WARM_SECONDS):
                    await ours.wait()
