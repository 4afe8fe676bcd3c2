"""When this process can serve: it was caught up with the log once, and the database answers.

Not while what users did is made again from the log: it is there only up to an earlier time.

The log being away later is not a reason to stop: answers say when they are stale, and all
replicas would stop at once.
"""

import asyncio

from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.common.process_metrics import DatabaseMetrics
from services.common.reloadable import Reloadable
from services.common.server import Health
from services.feed.entries_client import EntriesClient
from services.profile.entries_applier import EntriesApplier
from services.profile.metrics import ProfileMetrics

CHECK_SECONDS = 0.1
PING_SECONDS = 2.0

_log = logger("readiness")


class Readiness:
    """Publishes readiness as gRPC health."""

    def __init__(
        self,
        health: Health,
        applier: EntriesApplier,
        entries: EntriesClient,
        metrics: ProfileMetrics,
        database: DatabaseMetrics,
        max_lag: Reloadable[int],
    ) -> None:
        """`max_lag` is in entries of the log."""
        self._health = health
        self._applier = applier
        self._entries = entries
        self._metrics = metrics
        self._database = database
        self._max_lag = max_lag
        self._was_caught_up = False
        self._rebuilding = False

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            reachable = await self._database_answers()
            self._database.up.set(reachable)
            self._note_lag()
            await self._health.set_ready(reachable and self._was_caught_up and not self._rebuilding)
            await asyncio.sleep(CHECK_SECONDS)

    def _note_lag(self) -> None:
        """Take note of whether what was lost, or never there, is made again."""
        if self._entries.caught_up(self._max_lag.value):
            self._was_caught_up = True
            self._applier.found()
            if self._rebuilding:
                _log.warning("users are made again", head=self._entries.head_sequence)
            self._set_rebuilding(False)
        elif self._applier.lost and self._entries.connected and not self._rebuilding:
            _log.warning(
                "users are made again from the log",
                after=self._applier.progress.applied.sequence, head=self._entries.head_sequence,
            )  # fmt: skip
            self._metrics.rebuilds.inc()
            self._set_rebuilding(True)

    def _set_rebuilding(self, rebuilding: bool) -> None:
        self._rebuilding = rebuilding
        self._metrics.rebuilding.set(rebuilding)

    async def _database_answers(self) -> bool:
        """Return whether it does, and have again what it has lost."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                went_back = await self._applier.check()
        except (StoreUnavailableError, TimeoutError) as error:
            _log.warning("database does not answer", error=str(error))
            return False
        if went_back:
            self._entries.resubscribe()
        return True
