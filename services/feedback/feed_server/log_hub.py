"""The newest entries of the log in memory, for all subscribers of a process.

Holds only what is committed: it is handed what this process appended, right after the commit, and
what its learner read; what others did it reads, woken by PostgreSQL's NOTIFY, when somebody waits
for it. A subscriber that is further behind than this window reads pages from the table at its own
pace.
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
from services.feedback.feed_server.news import News
from services.feedback.feed_server.table_listener import listening
from services.feedback.log.log_reader import LogHead, LogReader
from services.feedback.log.log_store import LOG_CHANNEL, LogRow

WINDOW_BYTES = 8 * 1024 * 1024
PAGE_ENTRIES = 1000
_PAGE_BYTES = 3 * 1024 * 1024
_ROW_BYTES = 200
"""About what an entry takes beside its content."""
_POLL_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
_HELLO = "0"
"""Said by who begins to listen: no sequence, so that nobody reads for it."""
_PATIENCE_SECONDS = 0.001
"""What is announced is most often about to be handed over."""
_log = logger("log_hub")


class LogHub:
    """Follows the log."""

    def __init__(
        self, pool: asyncpg.Pool, reader: LogReader, dsn: str, registry: CollectorRegistry
    ) -> None:
        self._pool = pool
        self._reader = reader
        self._dsn = dsn
        self._rows: deque[LogRow] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._announced = 0
        self.head = LogHead(0, 0, {})
        self._hellos = 0
        self.others_listen = True
        """Whether other processes have to be told of what this one appends. True also as long as
        that is not known; who begins to listen is known at once, who ends a second later."""
        self._news = News()
        Gauge(
            "harken_entries_window_bytes", "Bytes of log entries held for subscribers.",
            registry=registry,
        ).set_function(lambda: self._size)  # fmt: skip
        Gauge(
            "harken_log_head_sequence", "Newest log sequence known.", registry=registry
        ).set_function(lambda: self.newest)

    @property
    def newest(self) -> int:
        """The newest sequence that is known of; what is beyond the head was only announced."""
        return max(self._announced, self.head.sequence)

    async def load(self) -> None:
        """Read the head; call before anything else."""
        self._begin_at(await self._reader.head())

    async def run(self) -> None:
        """Follow the log until cancelled."""
        while True:
            try:
                await self._follow()
            except StoreUnavailableError as error:
                _log.warning("lost the log", error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        async with listening(self._pool, self._dsn) as connection:
            with store_faults():
                await connection.add_listener(LOG_CHANNEL, self._on_notify)
                await self._pool.execute("SELECT pg_notify($1, $2)", LOG_CHANNEL, _HELLO)
            try:
                while not connection.is_closed():
                    await self._check_head()
                    await self._check_listeners(connection.get_server_pid())
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await self._follow_notifications()
            finally:
                self.others_listen = True

    async def _check_listeners(self, own: int) -> None:
        """Ask for sessions that listen beside our own. Who said hello meanwhile is one."""
        heard = self._hellos
        listen = await self._reader.others_listen(own)
        self.others_listen = listen or self._hellos != heard

    def _on_notify(self, _connection: object, _pid: int, _channel: str, head: object) -> None:
        if head == _HELLO:
            self._hellos += 1
            self.others_listen = True
            return
        self._announced = max(self._announced, int(str(head)))
        if self._news.awaited:
            self._read_soon()

    def _read_soon(self) -> None:
        if self.newest > self.head.sequence:
            asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._read_what_is_new)

    def _read_what_is_new(self) -> None:
        if self.newest > self.head.sequence:
            self._wake.set()

    async def wait(self, known: int, seconds: float) -> bool:
        """Wait until the head is another one than `known`; return whether it is."""
        self._read_soon()
        return await self._news.wait(known, seconds)

    async def _follow_notifications(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._catch_up()

    async def _catch_up(self) -> None:
        while rows := await self._reader.after(self.head.sequence, PAGE_ENTRIES):
            # Meanwhile some of them may have been handed over.
            known = self.head.sequence
            self._take([row for row in rows if row.sequence > known])
            if len(rows) < PAGE_ENTRIES:
                return

    async def _check_head(self) -> None:
        """Compare with the table: it may have been restored, or have lost what we missed."""
        known = self.head.sequence
        newest = await self._reader.head()
        # Meanwhile our head may have moved beyond what was read: that is no loss.
        if newest.epoch != self.head.epoch or newest.sequence < known:
            self._begin_at(newest)
        elif newest.sequence > self.head.sequence:
            await self._catch_up()

    def _begin_at(self, head: LogHead) -> None:
        self._rows.clear()
        self._size = 0
        self._announced = 0
        self._set_head(head)

    def offer(self, epoch: int, before: int, rows: Sequence[LogRow]) -> None:
        """Take entries that were just committed, which follow the sequence `before`.

        What does not follow our head is read from the table soon.
        """
        if epoch == self.head.epoch and before == self.head.sequence:
            self._take(rows)
        elif epoch != self.head.epoch or before + len(rows) > self.head.sequence:
            self._wake.set()

    def found(self, epoch: int, after: int, rows: Sequence[LogRow]) -> None:
        """Take what somebody read from the table, all that follows a sequence up to some point.

        So the table is not read twice; where it does not reach our head it is of no use.
        """
        if epoch == self.head.epoch and after <= self.head.sequence:
            self._take([row for row in rows if row.sequence > self.head.sequence])

    def _take(self, rows: Sequence[LogRow]) -> None:
        if not rows:
            return
        self._rows.extend(rows)
        self._size += sum(len(row.entry) + _ROW_BYTES for row in rows)
        while self._size > WINDOW_BYTES and len(self._rows) > 1:
            self._size -= len(self._rows.popleft().entry) + _ROW_BYTES
        self._set_head(LogHead(self.head.epoch, rows[-1].sequence, self.head.forks))

    def _set_head(self, head: LogHead) -> None:
        self.head = head
        self._news.head_is(head.sequence)

    def after(self, sequence: int, limit: int = PAGE_ENTRIES) -> Sequence[LogRow] | None:
        """Return the next entries after a sequence, up to `limit`; none when it is the head.

        None when the window does not reach back so far.
        """
        if sequence == self.head.sequence:
            return ()
        if sequence > self.head.sequence or not self._rows:
            return None
        newest = self.head.sequence - sequence
        held = len(self._rows)
        # From the newest backwards: dense, unless a page of the table lacked some.
        if newest <= held and self._rows[-newest].sequence == sequence + 1:
            page: list[LogRow] = []
            size = 0
            for index in range(held - newest, min(held, held - newest + limit)):
                size += len(self._rows[index].entry)
                if size > _PAGE_BYTES and page:
                    break
                page.append(self._rows[index])
            return page
        return None
