"""One flusher per process: coalesces concurrent calls into one insert.

A PostgreSQL commit costs the same for one event as for a thousand, and appending is serial by
nature (sequences are in commit order). So calls queue here, and whatever is waiting when the
previous insert is done goes into the next one.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common.database import Connection, session
from services.common.errors import NotReadyError, OverloadedError
from services.feedback.domain.event_cleaning import Reason
from services.feedback.store.item_directory import ItemDirectory
from services.feedback.store.log_store import PreparedEvent, append_events
from services.feedback.store.repeated_events import FlushedEvent, representatives_of, settle


class FlusherMetrics:
    """State of the flusher."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge("harken_flush_waiting", "Events waiting.", registry=registry)
        self.shed = Counter("harken_flush_shed", "Events shed, queue full.", registry=registry)
        self.seconds = Histogram(
            "harken_flush_seconds", "Duration of an insert.", registry=registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
        )  # fmt: skip
        self.events = Histogram(
            "harken_flush_events", "Events per insert.", registry=registry,
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Call:
    events: Sequence[tuple[PreparedEvent, str]]
    answer: "asyncio.Future[list[FlushedEvent]]"


class EventFlusher:
    """Appends events of all calls of this process, in order of arrival."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        directory: ItemDirectory,
        metrics: FlusherMetrics,
        max_flush: int,
        max_waiting: int,
    ) -> None:
        """Insert about `max_flush` events at once; shed calls beyond `max_waiting` events."""
        self._pool = pool
        self._directory = directory
        self._metrics = metrics
        self._max_flush = max_flush
        self._max_waiting = max_waiting
        self._calls: deque[_Call] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed = False

    async def append(
        self, events: Sequence[tuple[PreparedEvent, str]], patient: bool
    ) -> list[FlushedEvent]:
        """Append events, each with the id of its item, and return after they are durable.

        `patient` calls (bulk history) wait until little else is waiting, so that they never push
        live ones out.

        Raises:
            OverloadedError: too much is waiting; nothing was appended.
            NotReadyError: shutting down; nothing was appended.
            StoreUnavailableError: unknown whether anything was appended; repeat the call.

        """
        if self._closed:
            raise NotReadyError("shutting down")
        while patient and self._waiting > self._max_flush:
            await self._drained.wait()
        if self._waiting + len(events) > self._max_waiting:
            self._metrics.shed.inc(len(events))
            raise OverloadedError(f"{self._waiting} events are waiting for the log")
        answer: asyncio.Future[list[FlushedEvent]] = asyncio.get_running_loop().create_future()
        self._calls.append(_Call(events, answer))
        self._waiting += len(events)
        self._metrics.waiting.set(self._waiting)
        self._wake.set()
        # If the caller goes away meanwhile, the events are appended all the same.
        return await answer

    async def run(self) -> None:
        """Flush until `close`; what waits then is flushed before this returns."""
        while not self._closed or self._calls:
            await self._wake.wait()
            self._wake.clear()
            while self._calls:
                await self._flush(self._take())

    def close(self) -> None:
        """Take no more events, and let `run` end after the last."""
        self._closed = True
        self._wake.set()

    def _take(self) -> list[_Call]:
        """Take calls until the insert is large enough; at least one."""
        taken = [self._calls.popleft()]
        size = len(taken[0].events)
        while self._calls and size + len(self._calls[0].events) <= self._max_flush:
            taken.append(self._calls.popleft())
            size += len(taken[-1].events)
        self._waiting -= size
        self._metrics.waiting.set(self._waiting)
        if self._waiting <= self._max_flush:
            drained, self._drained = self._drained, asyncio.Event()
            drained.set()
        return taken

    async def _flush(self, calls: list[_Call]) -> None:
        events = [event for call in calls for event in call.events]
        self._metrics.events.observe(len(events))
        try:
            with self._metrics.seconds.time():
                async with session(self._pool) as connection:
                    results = await self._append(connection, events)
        except Exception as error:
            for call in calls:
                if not call.answer.done():
                    call.answer.set_exception(error)
                    # The caller may have gone away: then nobody else looks at the exception.
                    call.answer.exception()
            return
        start = 0
        for call in calls:
            end = start + len(call.events)
            if not call.answer.done():
                call.answer.set_result(results[start:end])
            start = end

    async def _append(
        self, connection: Connection, events: Sequence[tuple[PreparedEvent, str]]
    ) -> list[FlushedEvent]:
        unknown = await self._directory.unknown(
            connection, {(event.tenant, item_id) for event, item_id in events}
        )
        checked = [
            replace(event, reason=Reason.UNKNOWN_ITEM)
            if not event.reason and (event.tenant, item_id) in unknown
            else event
            for event, item_id in events
        ]
        representatives = representatives_of(checked)
        appended = await append_events(connection, list(representatives.values()))
        return settle(checked, dict(zip(representatives, appended, strict=True)))
