"""Whether this replica should get traffic."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.common.reloadable import Reloadable
from services.common.server import Health
from services.feed.entries_client import EntriesClient
from services.feed.frames_client import FeedClient
from services.feed.progress import Progress
from services.ranker.domain.visibility import Overlays
from services.ranker.profile_probe import ProfileProbe

_EVERY_SECONDS, _READY_EVERY_SECONDS = 0.05, 1.0
"""Between two looks, until ready, and from then on: bounds are of seconds and thousands of entries,
and what there is beyond them is heard of once a second. Who asks for the state has it fresh."""


@dataclass(frozen=True, slots=True)
class ReadinessBounds:
    """Beyond these a replica is not ready: versions and entries behind, seconds without a sign of
    a lane of the feed.
    """

    lag: int
    entries_lag: int
    silence_seconds: float


class Readiness:
    """Ready after having caught up with both lanes and reached profile once; lost while too far
    behind, or without a sign of a lane.

    Frames must be as far as the log was where its entries began, too: what was hidden before came
    by no other way. Calls are answered also while not ready, once it had caught up: a replica that
    serves what it has is better than none.
    """

    def __init__(
        self,
        frames: FeedClient,
        folded: Progress,
        entries: EntriesClient,
        applied: Progress,
        overlays: Overlays,
        bounds: Reloadable[ReadinessBounds],
        profile: ProfileProbe,
        loaded: Callable[[], None],
    ) -> None:
        """`loaded` is called once, when this replica has caught up."""
        self._frames = frames
        self._folded = folded
        self._entries = entries
        self._applied = applied
        self._overlays = overlays
        self._frames_caught_up = self._entries_caught_up = False
        self._bounds = bounds
        self._profile = profile
        self._loaded = loaded
        self._caught_up = asyncio.Event()
        self.ready = False

    @property
    def had_caught_up(self) -> bool:
        """Return whether both lanes of the feed were ever caught up with."""
        return self._caught_up.is_set()

    @property
    def connected(self) -> bool:
        """Return whether both lanes of the feed are connected."""
        return self._frames.connected and self._entries.connected

    @property
    def head_version(self) -> int:
        """Return the newest version known."""
        return self._frames.head_version

    @property
    def head_sequence(self) -> int:
        """Return the newest sequence of the log known."""
        return self._entries.head_sequence

    @property
    def entries_lag(self) -> int:
        """Return how many entries are known and not applied."""
        return max(0, self._entries.head_sequence - self._applied.applied.sequence)

    async def watch(self, health: Health) -> None:
        """Publish readiness until cancelled."""
        asking = asyncio.create_task(self._profile.run(self._caught_up))
        try:
            while True:
                if asking.done():
                    asking.result()
                self.refresh()
                await health.set_ready(self.ready)
                await asyncio.sleep(_READY_EVERY_SECONDS if self.ready else _EVERY_SECONDS)
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    def refresh(self) -> None:
        """Judge anew."""
        self._frames_caught_up |= self._frames.caught_up()
        self._entries_caught_up |= self._entries.caught_up()
        whole = self._lanes_meet()
        caught_up = self._frames_caught_up and self._entries_caught_up and whole
        if caught_up and not self.had_caught_up:
            self._loaded()
            self._caught_up.set()
        bounds = self._bounds.value
        heard = min(self._frames.last_contact, self._entries.last_contact)
        self.ready = (
            self.had_caught_up
            and whole
            and self._profile.done
            and time.monotonic() - heard <= bounds.silence_seconds
            and self._frames.head_version - self._folded.applied.version <= bounds.lag
            and self.entries_lag <= bounds.entries_lag
        )

    def _lanes_meet(self) -> bool:
        """Return whether nothing is missing between frames and entries."""
        began = self._entries.began_after
        folded = self._folded.applied.sequence
        return began is not None and folded >= max(began, self._overlays.through)
