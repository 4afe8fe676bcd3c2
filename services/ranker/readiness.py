"""Whether this replica should get traffic."""

import asyncio
import time
from dataclasses import dataclass

from services.common.feed_client import FeedClient
from services.common.live import Live
from services.common.progress import Progress
from services.common.server import Health

_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ReadinessBounds:
    """Beyond these a replica is not ready: versions behind, seconds without a sign of the feed."""

    lag: int
    silence_seconds: float


class Readiness:
    """Ready after having caught up once; lost while too far behind, or without a sign of the feed.

    Calls are answered also while not ready, once it was ready: a replica that serves what it has
    is better than none.
    """

    def __init__(
        self, client: FeedClient, progress: Progress, bounds: Live[ReadinessBounds]
    ) -> None:
        self._client = client
        self._progress = progress
        self._bounds = bounds
        self.was_ready = False
        self.ready = False

    @property
    def connected(self) -> bool:
        """Return whether the feed is connected."""
        return self._client.connected

    @property
    def head_version(self) -> int:
        """Return the newest version known."""
        return self._client.head_version

    async def watch(self, health: Health) -> None:
        """Publish readiness until cancelled."""
        while True:
            self.refresh()
            await health.set_ready(self.ready)
            await asyncio.sleep(_EVERY_SECONDS)

    def refresh(self) -> None:
        """Judge anew."""
        if not self.was_ready:
            self.was_ready = self._client.caught_up()
        silence = time.monotonic() - self._client.last_contact
        self.ready = (
            self.was_ready
            and silence <= self._bounds.value.silence_seconds
            and self._client.head_version - self._progress.applied.version <= self._bounds.value.lag
        )
