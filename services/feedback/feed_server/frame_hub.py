"""The newest frames in memory, for all subscribers of a process.

Holds only what is committed: it reads the table, woken by PostgreSQL's NOTIFY, or is handed a
frame by the learner of the same process right after the commit. A subscriber that is further
behind than this window reads pages from the table at its own pace, so that a slow one costs the
others nothing.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence

import asyncpg
from prometheus_client import CollectorRegistry, Gauge

from services.common.database import store_faults
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.feedback.feed_server.frame_store import (
    FRAME_CHANNEL,
    CommittedFrame,
    FrameStore,
    Head,
)
from services.feedback.feed_server.news import News
from services.feedback.feed_server.table_listener import listening

WINDOW_BYTES = 16 * 1024 * 1024
PAGE_BYTES = 4 * 1024 * 1024
_POLL_SECONDS, _FED_POLL_SECONDS = 1.0, 5.0
"""Fed, nothing that is announced can get lost, and who hands over frames is fenced."""
_PAUSE_SECONDS = 0.2
_log = logger("frame_hub")


class FrameHub:
    """Follows the committed feed."""

    def __init__(
        self, pool: asyncpg.Pool, store: FrameStore, dsn: str, registry: CollectorRegistry
    ) -> None:
        self._pool = pool
        self._store = store
        self._dsn = dsn
        self._frames: deque[CommittedFrame] = deque()
        self._size = 0
        self.news = News()
        self._wake = asyncio.Event()
        self.head = Head(0, 0, 0, {})
        self.fed = False
        """True while a learner of this process leads: it hands over all frames, none is read. Wake
        the hub after setting it."""
        self._listens = False
        self._version = Gauge(
            "harken_feed_head_version", "Newest version of the feed known.", registry=registry
        )
        self._sequence = Gauge(
            "harken_feed_through_sequence", "Log sequence that the newest version reflects.",
            registry=registry,
        )  # fmt: skip
        self._epoch = Gauge("harken_feed_epoch", "Epoch of the log.", registry=registry)
        self._window = Gauge(
            "harken_feed_window_bytes", "Bytes of frames held for subscribers.", registry=registry
        )

    async def load(self) -> None:
        """Read the head; call before anything else."""
        self.head = await self._store.head()
        self._show()

    async def run(self) -> None:
        """Follow the table until cancelled."""
        while True:
            try:
                await self._follow()
            except StoreUnavailableError as error:
                _log.warning("lost the feed's table", error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        async with listening(self._pool, self._dsn) as connection:
            self._listens = False
            while not connection.is_closed():
                await self._listen(connection)
                await self._catch_up()
                await self._check_head()
                await self._follow_notifications(connection)

    def _on_notify(self, _connection: object, _pid: int, _channel: str, version: object) -> None:
        if not self.fed and int(str(version)) > self.head.version:
            self._wake.set()

    async def _listen(self, connection: asyncpg.Connection) -> None:
        """Listen while we are not fed: what is announced would be no news."""
        if self._listens == (not self.fed):
            return
        self._listens = not self.fed
        with store_faults():
            if self._listens:
                await connection.add_listener(FRAME_CHANNEL, self._on_notify)
            else:
                await connection.remove_listener(FRAME_CHANNEL, self._on_notify)

    async def _follow_notifications(self, connection: asyncpg.Connection) -> None:
        """Read what is announced, until nothing was for a while."""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(_FED_POLL_SECONDS if self.fed else _POLL_SECONDS):
                    await self._wake.wait()
                self._wake.clear()
                await self._listen(connection)
                await self._catch_up()

    async def _catch_up(self) -> None:
        while frames := await self._store.frames_after(self.head.version):
            for frame in frames:
                self.offer(frame)

    async def _check_head(self) -> None:
        """Compare with the table: it may have been restored, or have lost what we missed."""
        version = self.head.version
        newest = await self._store.head()
        restored = newest.version < version or newest.forks != self.head.forks
        # Frames right after us are gone: we were away for longer than they are kept.
        missed = newest.version > version == self.head.version
        if restored or (missed and not await self._store.frames_after(version)):
            self._frames.clear()
            self._size = 0
            self._set_head(newest)

    def wake(self) -> None:
        """Read what is committed beyond the head, soon."""
        self._wake.set()

    def offer(self, frame: CommittedFrame) -> None:
        """Take a frame that was just committed; one that does not follow is read later."""
        if frame.version != self.head.version + 1:
            if frame.version > self.head.version + 1:
                self.wake()
            return
        self._frames.append(frame)
        self._size += len(frame.content)
        while self._size > WINDOW_BYTES and len(self._frames) > 1:
            self._size -= len(self._frames.popleft().content)
        self._set_head(Head(frame.epoch, frame.version, frame.through_sequence, self.head.forks))

    def _set_head(self, head: Head) -> None:
        self.head = head
        self._show()

    def _show(self) -> None:
        self._version.set(self.head.version)
        self._sequence.set(self.head.sequence)
        self._epoch.set(self.head.epoch)
        self._window.set(self._size)
        self.news.head_is(self.head.version)

    def after(self, version: int) -> Sequence[CommittedFrame] | None:
        """Return the next frames after a version, about a page of them; none when it is the head.

        None when the window does not reach back so far.
        """
        if version == self.head.version:
            return ()
        if version > self.head.version or not self._frames:
            return None
        start = version + 1 - self._frames[0].version
        if start < 0:
            return None
        page: list[CommittedFrame] = []
        size = 0
        for index in range(start, len(self._frames)):
            frame = self._frames[index]
            page.append(frame)
            size += len(frame.content)
            if size > PAGE_BYTES:
                break
        return page
