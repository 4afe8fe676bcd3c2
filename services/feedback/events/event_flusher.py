"""One flusher per process: coalesces concurrent calls into one insert.

A PostgreSQL commit costs the same for one event as for a thousand, and appending is serial by
nature (sequences are in commit order). So calls queue here, and whatever is waiting when the
previous insert is done goes into the next one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common.database import Connection, KeptSession
from services.common.errors import NotReadyError, OverloadedError
from services.common.pipeline_latency import PipelineStage
from services.common.position import Position
from services.common.reloadable import Reloadable
from services.common.vault.vault import UserVault
from services.feedback.catalogue.item_directory import ItemDirectory
from services.feedback.events.default_times import recognise_default_times
from services.feedback.events.domain.event_cleaning import Reason
from services.feedback.events.repeated_events import (
    FlushedEvents,
    keys_of,
    representatives_of,
    settle,
    without_late,
)
from services.feedback.log.late_entries import UNCHECKED, ErasedAmongThemError, find_late
from services.feedback.log.log_store import (
    SHARD,
    Appended,
    LogRow,
    NewEntry,
    PreparedEvents,
    append_events,
    append_stamped_entries,
)

_MAX_ENTRY_BYTES = 32 * 1024 * 1024
"""Of entries other than events that may wait; beyond, calls are shed."""
_SMALL_EVENTS = 20
"""A call with more is a large one."""
_ROUNDS = 8
"""Of the loop without a newcomer, after which nobody is thought to be on the way."""
_GATHER_SECONDS = 0.003
_INSERT_BYTES = 4 * 1024 * 1024
"""Of such entries in one insert, about."""


class FlusherMetrics:
    """State of the flusher."""

    def __init__(self, registry: CollectorRegistry, accepted: PipelineStage) -> None:
        self.accepted = accepted
        self.waiting = Gauge(
            "harken_flush_waiting", "Events waiting to be inserted.", registry=registry
        )
        self.shed = Counter(
            "harken_flush_shed", "Events shed because the queue was full.", registry=registry
        )
        self.failures = Counter(
            "harken_flush_failures", "Inserts that failed, or whose outcome is unknown.",
            registry=registry,
        )  # fmt: skip
        self.head = Gauge(
            "harken_log_appended_sequence", "Newest log sequence that this process appended.",
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "harken_flush_seconds", "Seconds an insert took.", registry=registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
        )  # fmt: skip
        self.events = Histogram(
            "harken_flush_events", "Events per insert.", registry=registry,
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
        )  # fmt: skip
        self.entry_bytes = Gauge(
            "harken_flush_waiting_bytes",
            "Bytes of slates and other entries waiting.",
            registry=registry,
        )
        self.shed_entries = Counter(
            "harken_flush_shed_entries",
            "Slates and other entries shed, queue full.",
            registry=registry,
        )


Appending = Callable[[int, int, list[LogRow]], None]
"""Takes epoch, the sequence before, and what was appended after it: at least one row, sequences
without a gap. It must not raise. Between two calls there may be what other connections appended;
so may there be an insert whose outcome was never known."""


@dataclass(slots=True)
class _Call:
    events: PreparedEvents
    answer: "asyncio.Future[FlushedEvents]"


@dataclass(slots=True)
class _EntryCall:
    entries: Sequence[NewEntry]
    size: int
    answer: "asyncio.Future[Position]"


def _fail(calls: Sequence[_Call] | Sequence[_EntryCall], error: Exception) -> None:
    for call in calls:
        if not call.answer.done():
            call.answer.set_exception(error)
            # The caller may have gone away: then nobody else looks at the exception.
            call.answer.exception()


class EventFlusher:
    """Appends events of all calls of this process, small ones first; slates beside them."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        directory: ItemDirectory,
        metrics: FlusherMetrics,
        max_flush: int,
        max_waiting: Reloadable[int],
        vault: UserVault,
        appended: Appending | None = None,
        others_listen: Callable[[], bool] = lambda: True,
    ) -> None:
        """Insert about `max_flush` events at once; shed calls beyond `max_waiting` events.

        `appended` is told of all that was appended here, after its commit and in log order.
        `others_listen`: whether there may be other processes that have to be told, too.
        """
        self._session = KeptSession(pool)
        self._vault = vault
        self._directory = directory
        self._metrics = metrics
        self._max_flush = max_flush
        self._max_waiting = max_waiting
        self._appended = appended
        self._others_listen = others_listen
        self._calls: deque[_Call] = deque()
        self._waiting = 0
        self._large = 0
        self._last = 0
        self._patient = 0
        self._entry_calls: deque[_EntryCall] = deque()
        self._entry_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed = False
        metrics.waiting.set_function(lambda: self._waiting)
        metrics.entry_bytes.set_function(lambda: self._entry_bytes)

    @property
    def importing(self) -> bool:
        """Whether bulk history is being appended right now."""
        return self._patient > 0

    async def append(self, events: PreparedEvents, patient: bool) -> FlushedEvents:
        """Append events, at least one, and return after they are durable.

        `patient` calls (bulk history) wait until little else is waiting, so that they never push
        live ones out.

        Raises:
            OverloadedError: too much is waiting; nothing was appended.
            NotReadyError: shutting down; nothing was appended.
            StoreUnavailableError: unknown whether anything was appended; repeat the call.

        """
        if not patient:
            return await self._enter(events)
        self._patient += 1
        try:
            while self._waiting > self._max_flush and not self._closed:
                await self._drained.wait()
            return await self._enter(events)
        finally:
            self._patient -= 1

    def _enter(self, events: PreparedEvents) -> "asyncio.Future[FlushedEvents]":
        """Let events wait for an insert, and return what will become of them."""
        if self._closed:
            raise NotReadyError("shutting down")
        if self._waiting + len(events) > self._max_waiting.value:
            self._metrics.shed.inc(len(events))
            raise OverloadedError(f"{self._waiting} events are waiting for the log")
        # If the caller goes away meanwhile, the events are appended all the same.
        answer: asyncio.Future[FlushedEvents] = self._loop.create_future()
        self._calls.append(_Call(events, answer))
        self._waiting += len(events)
        self._large += len(events) > _SMALL_EVENTS
        self._wake.set()
        return answer

    async def append_entries(self, entries: Sequence[NewEntry]) -> Position:
        """Append entries other than events, and return the position of the last when durable.

        They take turns with events, so that neither waits for all of the other.

        Raises:
            OverloadedError: too many bytes are waiting; nothing was appended.
            NotReadyError: shutting down; nothing was appended.
            StoreUnavailableError: unknown whether anything was appended.

        """
        if self._closed:
            raise NotReadyError("shutting down")
        size = sum(len(entry.entry) for entry in entries)
        if self._entry_calls and self._entry_bytes + size > _MAX_ENTRY_BYTES:
            self._metrics.shed_entries.inc(len(entries))
            raise OverloadedError(f"{self._entry_bytes} bytes are waiting for the log")
        answer: asyncio.Future[Position] = self._loop.create_future()
        self._entry_calls.append(_EntryCall(entries, size, answer))
        self._entry_bytes += size
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """Flush until `close`; what waits then is flushed before this returns."""
        while not self._closed or self._calls or self._entry_calls:
            await self._wake.wait()
            self._wake.clear()
            while self._calls or self._entry_calls:
                if self._calls:
                    await self._gather()
                    await self._flush(self._take())
                if self._entry_calls:
                    await self._flush_entries(self._take_entries())
        await self._session.release()

    def close(self) -> None:
        """Take no more events, and let `run` end after the last."""
        self._closed = True
        self._wake.set()

    async def _gather(self) -> None:
        """Wait for those who come along with the next insert.

        Who was in the last one may be about to come back, as the others may who are on their way
        through the loop. Small inserts cost about what large ones do, and while many come the loop
        has no time for them anyway.
        """
        until = time.monotonic() + _GATHER_SECONDS
        rounds = _ROUNDS if self._last > 1 else 0
        while rounds and len(self._calls) < self._last and time.monotonic() < until:
            known = len(self._calls)
            await asyncio.sleep(0)
            rounds = rounds - 1 if len(self._calls) == known else _ROUNDS

    def _take(self) -> list[_Call]:
        """Take calls until the insert is large enough, at least one. Small ones go first, and of
        large ones only one comes along; where there are no small ones, as many as fit.
        """
        if not self._large and self._waiting <= self._max_flush:
            taken = list(self._calls)
            self._calls.clear()
            self._took(sum(len(call.events) for call in taken))
            return taken
        taken = []
        large: list[_Call] = []
        left: deque[_Call] = deque()
        size = 0
        for call in self._calls:
            if len(call.events) > _SMALL_EVENTS:
                large.append(call)
            elif size + len(call.events) <= self._max_flush:
                taken.append(call)
                size += len(call.events)
            else:
                left.append(call)
        alone = not taken
        count = 0
        for call in large:
            if count and not (alone and size + len(call.events) <= self._max_flush):
                break
            taken.append(call)
            size += len(call.events)
            count += 1
        self._calls = deque([*large[count:], *left])
        self._large -= count
        self._took(size)
        return taken

    def _took(self, events: int) -> None:
        self._waiting -= events
        if self._patient and self._waiting <= self._max_flush:
            drained, self._drained = self._drained, asyncio.Event()
            drained.set()

    async def _flush(self, calls: list[_Call]) -> None:
        self._last = len(calls)
        events = PreparedEvents.joined([call.events for call in calls])
        self._metrics.events.observe(len(events))
        try:
            with self._metrics.seconds.time():
                async with self._session as connection:
                    results = await self._append(connection, events)
        except Exception as error:
            self._metrics.failures.inc()
            _fail(calls, error)
            return
        if len(calls) == 1 and not calls[0].answer.done():
            calls[0].answer.set_result(results)
            return
        start = 0
        for call in calls:
            end = start + len(call.events)
            if not call.answer.done():
                call.answer.set_result(results.part(start, end))
            start = end

    def _take_entries(self) -> list[_EntryCall]:
        """Take calls until the insert is large enough; at least one."""
        taken = [self._entry_calls.popleft()]
        size = taken[0].size
        while self._entry_calls and size + self._entry_calls[0].size <= _INSERT_BYTES:
            taken.append(self._entry_calls.popleft())
            size += taken[-1].size
        self._entry_bytes -= size
        return taken

    async def _flush_entries(self, calls: list[_EntryCall]) -> None:
        entries = [entry for call in calls for entry in call.entries]
        try:
            with self._metrics.seconds.time():
                # One statement, so one transaction.
                async with self._session as connection:
                    appended = await append_stamped_entries(connection, entries)
        except Exception as error:
            self._metrics.failures.inc()
            _fail(calls, error)
            return
        sequence = appended.before
        self._metrics.head.set(sequence + len(entries))
        if self._appended is not None:
            self._appended(appended.epoch, sequence, appended.rows())
        for call in calls:
            sequence += len(call.entries)
            if not call.answer.done():
                call.answer.set_result(Position(SHARD, appended.epoch, sequence))

    async def _append(self, connection: Connection, events: PreparedEvents) -> FlushedEvents:
        unknown = await self._directory.unknown(
            connection, set(zip(events.tenants, events.item_ids, strict=True))
        )
        if unknown:
            events = replace(events, reasons=_with_unknown(events, unknown))
        try:
            return await self._append_checked(connection, events, UNCHECKED)
        except ErasedAmongThemError:
            return await self._append_in_time(connection, events)

    async def _append_in_time(
        self, connection: Connection, events: PreparedEvents
    ) -> FlushedEvents:
        """Append those events that are not late for the erasure of their user."""
        while True:
            found = await find_late(
                connection, SHARD, events.tenants, events.user_keys, events.entries
            )
            kept = [index for index in range(len(events)) if index not in found.late]
            if not kept:
                return without_late(len(events), kept, FlushedEvents(0, (), (), ()))
            try:
                flushed = await self._append_checked(connection, events.taken(kept), found.erasures)
            except ErasedAmongThemError:
                # There was another one meanwhile.
                continue
            return without_late(len(events), kept, flushed)

    async def _append_checked(
        self, connection: Connection, events: PreparedEvents, checked: int
    ) -> FlushedEvents:
        """Append events; `checked`: as of how many erasures none of them is late."""
        keys = keys_of(events)
        chosen = representatives_of(keys, events.reasons)
        distinct = events.taken(chosen) if len(chosen) < len(events) else events
        appended = await self._append_distinct(connection, distinct, checked)
        return await recognise_default_times(
            connection, events, settle(keys, events, chosen, appended), self._vault
        )

    async def _append_distinct(
        self, connection: Connection, events: PreparedEvents, checked: int
    ) -> Appended:
        """Append events whose ids are distinct."""
        appended = await append_events(connection, events, self._others_listen(), checked)
        places = appended.places(events)
        if places:
            # The store stamps events, and answers when they are durable.
            seconds = max(0.0, time.time() - appended.accepted_at_us / 1e6)
            self._metrics.accepted.count(len(places), seconds)
            self._metrics.head.set(appended.before + len(places))
            if self._appended is not None:
                rows = appended.rows(events, places)
                self._appended(appended.epoch, appended.before, rows)
        return appended


def _with_unknown(events: PreparedEvents, unknown: set[tuple[str, str]]) -> list[int]:
    """Return the reasons, with that of events on unknown items where there was none."""
    items = zip(events.tenants, events.item_ids, strict=True)
    return [
        reason or (Reason.UNKNOWN_ITEM if item in unknown else 0)
        for reason, item in zip(events.reasons, items, strict=True)
    ]
