"""Slates of a tenant as the log has them, each with the events that name it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncpg

from harken.internal.log.v1 import entry_pb2
from services.common.bulk_work import BulkWork
from services.common.database import one_row, session, store_faults
from services.common.errors import EpochLostError
from services.common.position import Position
from services.feedback.log.late_entries import IS_VOID
from services.feedback.log.log_reader import LogHead, LogReader
from services.feedback.log.log_store import SHARD
from services.feedback.slates.slate_outcomes import RESENT_US, SlateEvent, SlateOutcomes

_PAGE_BYTES = 3 * 1024 * 1024
_PAGE_EVENTS = 1000
_SLICE_EVENTS = 200
_SLICE_SLATES = 10
_FIRST_STEP = 1000
_EARLY_US = 60_000_000
"""Events come before their slate by so much at most; as the learner waits for a slate."""

_COLUMNS = "sequence, (extract(epoch FROM accepted_at) * 1000000)::bigint AS accepted_at_us, entry"
# An Entry that is an event begins with its field 1, one that is a slate with its field 20. Slates
# are in tables of their own, which are read only where they are asked for.
_EVENTS = f"""
    SELECT {_COLUMNS} FROM (
        SELECT l.sequence, l.accepted_at, l.entry,
            sum(length(l.entry)) OVER (ORDER BY l.sequence) AS size,
            row_number() OVER (ORDER BY l.sequence) AS number
        FROM ONLY log l
        WHERE l.shard = $1 AND l.sequence > $2 AND l.sequence <= $3 AND l.tenant = $4
            AND substr(l.entry, 1, 1) = '\\x0a'
            AND NOT EXISTS (
                SELECT FROM retractions r WHERE r.shard = l.shard AND r.event_sequence = l.sequence
            )
            AND NOT {IS_VOID}
        ORDER BY l.sequence LIMIT $5
    ) page WHERE size <= $6 OR number = 1 ORDER BY sequence
"""
_SLATES = f"""
    SELECT {_COLUMNS} FROM (
        SELECT l.sequence, l.accepted_at, l.entry,
            sum(length(l.entry)) OVER (ORDER BY l.sequence) AS size,
            row_number() OVER (ORDER BY l.sequence) AS number
        FROM log l
        WHERE l.shard = $1 AND l.sequence > $2 AND l.sequence <= $3 AND l.tenant = $4
            AND substr(l.entry, 1, 2) = '\\xa201' AND NOT {IS_VOID}
        ORDER BY l.sequence LIMIT $5
    ) page WHERE size <= $6 OR number = 1 ORDER BY sequence
"""
_TIME_AFTER = """
    SELECT (extract(epoch FROM accepted_at) * 1000000)::bigint FROM log
    WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT 1
"""
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us"


@dataclass(frozen=True, slots=True)
class JoinedSlate:
    """A slate, its outcomes with their places (from 0), and whether no more can come."""

    sequence: int
    accepted_at_us: int
    slate: entry_pb2.LoggedSlate
    outcomes: list[tuple[int, SlateEvent]]
    window_over: bool


@dataclass(frozen=True, slots=True)
class SlatePage:
    """Slates in log order, and how far the log was read for slates."""

    slates: list[JoinedSlate]
    through: Position


class SlateExport:
    """Reads the slates of a tenant, page after page, and its events ahead of them.

    The log is read twice, at two places: so what is held are events of one window, not slates.
    """

    def __init__(self, pool: asyncpg.Pool, bulk: BulkWork) -> None:
        self._pool = pool
        self._bulk = bulk

    async def pages(
        self,
        tenant: str,
        after: Position | None,
        until: Position | None,
        window_us: int,
        page_slates: Callable[[], int],
        outcomes_too: bool = True,
    ) -> AsyncIterator[SlatePage]:
        """Yield pages of a tenant's slates after a position, up to another one or the end as of
        now; at least one page, maybe without slates. `page_slates`: how many the next may have.
        outcomes_too: with what came of them.

        Raises:
            EpochLostError: a position lies on an abandoned fork.
            StoreUnavailableError: the store is away.
            TooManyOutcomesError: too many events that name slates lie within a window.

        """
        head = await LogReader(self._pool).head()
        async with session(self._pool) as connection:
            now_us: int = (await one_row(connection, _NOW))["now_us"]
        for position in (after, until):
            _check(position, head)
        first = 0 if after is None else after.sequence
        last = head.sequence if until is None else min(until.sequence, head.sequence)
        # Slates before the first are read for their ids: they may come again after it.
        slates_through = await self._before(first, RESENT_US)
        outcomes = SlateOutcomes(window_us, _EARLY_US)
        ahead = _Ahead(self, tenant, await self._before(slates_through, _EARLY_US), head.sequence)
        while True:
            with store_faults():
                rows = await self._pool.fetch(
                    _SLATES, SHARD, slates_through, last, tenant, page_slates(), _PAGE_BYTES
                )
            slates_through = rows[-1]["sequence"] if rows else last
            found: list[JoinedSlate] = []
            if rows and outcomes_too:
                await ahead.read(outcomes, rows[-1]["accepted_at_us"] + window_us)
            for start in range(0, len(rows), _SLICE_SLATES):
                async with self._bulk:
                    for row in rows[start : start + _SLICE_SLATES]:
                        joined = _joined(row, outcomes, now_us - window_us)
                        if joined is not None and joined.sequence > first:
                            found.append(joined)
            if slates_through > first or slates_through >= last:
                yield SlatePage(found, Position(SHARD, head.epoch, max(slates_through, first)))
            if slates_through >= last:
                return

    async def _before(self, sequence: int, by_us: int) -> int:
        """Return a sequence before another one, by at least so much time of the log."""
        at_us = await self._time_after(sequence)
        step = _FIRST_STEP
        earlier = sequence
        while at_us is not None and earlier > 0:
            earlier = max(earlier - step, 0)
            step *= 2
            time_us = await self._time_after(earlier)
            if time_us is None or time_us < at_us - by_us:
                break
        return earlier

    async def _time_after(self, sequence: int) -> int | None:
        with store_faults():
            time_us: int | None = await self._pool.fetchval(_TIME_AFTER, SHARD, sequence)
        return time_us

    async def events(self, tenant: str, after: int, last: int) -> list[asyncpg.Record]:
        """Return the next events of a tenant that stand; none: there are no more up to `last`."""
        with store_faults():
            rows: list[asyncpg.Record] = await self._pool.fetch(
                _EVENTS, SHARD, after, last, tenant, _PAGE_EVENTS, _PAGE_BYTES
            )
        return rows

    @property
    def bulk(self) -> BulkWork:
        """Whose turn it is."""
        return self._bulk


class _Ahead:
    """Where events are read: as far ahead of the slates as these need."""

    def __init__(self, export: SlateExport, tenant: str, through: int, last: int) -> None:
        self._export = export
        self._tenant = tenant
        self._through = through
        self._last = last
        self._time_us = 0

    async def read(self, outcomes: SlateOutcomes, until_us: int) -> None:
        """Add events until one of a time, or all."""
        while self._through < self._last and self._time_us < until_us:
            rows = await self._export.events(self._tenant, self._through, self._last)
            self._through = rows[-1]["sequence"] if rows else self._last
            for start in range(0, len(rows), _SLICE_EVENTS):
                async with self._export.bulk:
                    for row in rows[start : start + _SLICE_EVENTS]:
                        _add(outcomes, row["entry"], row["accepted_at_us"])
            if rows:
                self._time_us = rows[-1]["accepted_at_us"]


def _add(outcomes: SlateOutcomes, entry: bytes, accepted_at_us: int) -> None:
    event = entry_pb2.Entry.FromString(entry).event
    if not event.slate_id:
        return
    outcomes.add(
        event.slate_id,
        SlateEvent(
            accepted_at_us,
            event.user_key,
            event.item_id,
            event.type,
            event.value if event.HasField("value") else None,
            event.event_time_us if event.HasField("event_time_us") else accepted_at_us,
        ),
    )


def _joined(
    row: asyncpg.Record, outcomes: SlateOutcomes, over_before_us: int
) -> JoinedSlate | None:
    slate = entry_pb2.Entry.FromString(row["entry"]).slate
    accepted_at_us: int = row["accepted_at_us"]
    found = outcomes.take(slate.slate_id, slate.user_key, slate.item_ids, accepted_at_us)
    if found is None:
        return None
    return JoinedSlate(
        row["sequence"], accepted_at_us, slate, found, accepted_at_us <= over_before_us
    )


def _check(position: Position | None, head: LogHead) -> None:
    if position is not None and not head.holds(position.epoch, position.sequence):
        raise EpochLostError(f"position {position.sequence} of epoch {position.epoch} is lost")
