"""When this process can serve: the feed was caught up once, and the database answers.

Not while what users did is made again from the log: it is there only up to an earlier time.

The feed being away later is not a reason to stop: answers say when they are stale, and all
replicas would stop at once.
"""

import asyncio
from collections.abc import Callable

from services.common.errors import StoreUnavailableError
from services.common.feed_client import FeedClient
from services.common.live import Live
from services.common.logs import logger
from services.common.process_metrics import DatabaseMetrics
from services.common.server import Health
from services.profile.store.behaviour_store import BehaviourStore

CHECK_SECONDS = 0.1
PING_SECONDS = 2.0

_log = logger("readiness")


class Readiness:
    """Publishes readiness as gRPC health."""

    def __init__(
        self,
        health: Health,
        store: BehaviourStore,
        feed: FeedClient,
        rebuilding: Callable[[], bool],
        database: DatabaseMetrics,
        max_lag: Live[int],
    ) -> None:
        """`max_lag` is in versions of the feed. Not ready while `rebuilding`."""
        self._health = health
        self._store = store
        self._feed = feed
        self._rebuilding = rebuilding
        self._database = database
        self._max_lag = max_lag
        self._was_caught_up = False

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            reachable = await self._database_answers()
            self._database.up.set(reachable)
            self._was_caught_up |= self._feed.caught_up(self._max_lag.value)
            ready = reachable and self._was_caught_up and not self._rebuilding()
            await self._health.set_ready(ready)
            await asyncio.sleep(CHECK_SECONDS)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._store.ping()
        except (StoreUnavailableError, TimeoutError) as error:
            _log.warning("database does not answer", error=str(error))
            return False
        return True
