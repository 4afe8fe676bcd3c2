"""Whether this replica should get traffic."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from services.common.feed_client import FeedClient
from services.common.live import Live
from services.common.progress import Progress
from services.common.server import Health
from services.ranker.profile_probe import ProfileProbe

_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ReadinessBounds:
    """Beyond these a replica is not ready: versions behind, seconds without a sign of the feed."""

    lag: int
    silence_seconds: float


class Readiness:
    """Ready after having caught up and reached profile once; lost while too far behind, or without
    a sign of the feed.

    Calls are answered also while not ready, once it had caught up: a replica that serves what it
    has is better than none.
    """

    def __init__(
        self,
        client: FeedClient,
        progress: Progress,
        bounds: Live[ReadinessBounds],
        profile: ProfileProbe,
    ) -> None:
        self._client = client
        self._progress = progress
        self._bounds = bounds
        self._profile = profile
        self._caught_up = asyncio.Event()
        self.ready = False

    @property
    def had_caught_up(self) -> bool:
        """Return whether the feed was ever caught up with."""
        return self._caught_up.is_set()

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
        asking = asyncio.create_task(self._profile.run(self._caught_up))
        try:
            while True:
                if asking.done():
                    asking.result()
                self.refresh()
                await health.set_ready(self.ready)
                await asyncio.sleep(_EVERY_SECONDS)
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    def refresh(self) -> None:
        """Judge anew."""
        if self._client.caught_up():
            self._caught_up.set()
        silence = time.monotonic() - self._client.last_contact
        self.ready = (
            self.had_caught_up
            and self._profile.done
            and silence <= self._bounds.value.silence_seconds
            and self._client.head_version - self._progress.applied.version <= self._bounds.value.lag
        )
