"""The log in PostgreSQL: appending in commit order, and reading in order."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.common.database import Connection, one_row, store_faults
from services.common.position import Position
from services.feedback.log.late_entries import (
    TICK,
    UNCHECKED,
    ErasedAmongThemError,
    find_late,
)

SHARD = 0
LOG_CHANNEL = "feedback_log"
# Columns in the order of LogRow.
_ROWS = (
    "SELECT sequence, tenant, (extract(epoch FROM accepted_at) * 1000000)::bigint AS"
    " accepted_at_us, entry FROM log WHERE shard = $1"
)

_READ_BYTES = 3 * 1024 * 1024
# How long an entry is stands in front of it, so only those that are returned are read.
_PAGE = f"""
    WITH page AS (
        SELECT sequence, row_number() OVER (ORDER BY sequence) AS number,
               sum(octet_length(entry)) OVER (ORDER BY sequence) AS through
        FROM log WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
    )
    {_ROWS} AND sequence > $2 AND sequence <= (
        SELECT max(sequence) FROM page WHERE number = 1 OR through <= $4
    )
    ORDER BY sequence LIMIT $3
"""


@dataclass(slots=True)
class PreparedEvents:
    """Events ready for the log, by column. `reasons` other than 0 send them to quarantine, if they
    are new.
    """

    tenants: list[str] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    item_ids: list[str] = field(default_factory=list)
    fingerprints: list[bytes] = field(default_factory=list)
    user_keys: list[bytes] = field(default_factory=list)
    reasons: list[int] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.event_ids)

    def columns(self) -> tuple[list[Any], ...]:
        """Return the columns, in the order of the fields."""
        return (
            self.tenants, self.event_ids, self.item_ids, self.fingerprints, self.user_keys,
            self.reasons, self.entries,
        )  # fmt: skip

    def extend(self, columns: Iterable[Iterable[Any]]) -> None:
        """Add events, given as columns in the order of the fields."""
        for own, more in zip(self.columns(), columns, strict=True):
            own.extend(more)

    def taken(self, indices: Sequence[int]) -> "PreparedEvents":
        """Return some of the events."""
        return PreparedEvents(*([column[k] for k in indices] for column in self.columns()))

    def part(self, start: int, end: int) -> "PreparedEvents":
        """Return the events from one index to before another."""
        return PreparedEvents(*(column[start:end] for column in self.columns()))

    @classmethod
    def joined(cls, parts: Sequence["PreparedEvents"]) -> "PreparedEvents":
        """Return all events of some, in order."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns() for part in parts), strict=True)
        return cls(*(list(itertools.chain.from_iterable(column)) for column in columns))


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of prepared events.

    `known`: sequence and fingerprint of what the log has had under the id of an event, None when
    it was new; None for all when all were new. The new events without a reason have the sequences
    after `before`, in order, and all the same time of acceptance.
    """

    epoch: int
    before: int
    accepted_at_us: int
    known: Sequence[tuple[int, bytes] | None] | None

    def places(self, events: PreparedEvents) -> Sequence[int]:
        """Return which of the events that this became of are new in the log, in order."""
        if self.known is None and not any(events.reasons):
            return range(len(events))
        known = self.known or [None] * len(events)
        pairs = zip(events.reasons, known, strict=True)
        return [
            place for place, (reason, before) in enumerate(pairs) if not reason and before is None
        ]

    def rows(self, events: PreparedEvents, places: Sequence[int]) -> "list[LogRow]":
        """Return what the log has got of the events, given which are new."""
        return [
            LogRow(sequence, events.tenants[place], self.accepted_at_us, events.entries[place])
            for sequence, place in enumerate(places, self.before + 1)
        ]


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry other than an event, serialised."""

    tenant: str
    user_key: bytes | None
    entry: bytes


@dataclass(frozen=True, slots=True)
class AppendedEntries:
    """Where entries were appended, and which: they have the sequences after `before`, in order."""

    epoch: int
    before: int
    accepted_at_us: int
    entries: Sequence[NewEntry]

    def rows(self) -> "list[LogRow]":
        """Return what the log has got, in order."""
        return [
            LogRow(sequence, entry.tenant, self.accepted_at_us, entry.entry)
            for sequence, entry in enumerate(self.entries, self.before + 1)
        ]


class LogRow(NamedTuple):
    """An entry as stored."""

    sequence: int
    tenant: str
    accepted_at_us: int
    entry: bytes


async def append_events(
    connection: Connection,
    events: PreparedEvents,
    notify: bool = True,
    checked: int = UNCHECKED,
) -> Appended:
    """Append events whose ids are distinct, in one durable transaction.

    `notify`: whether other processes listen; those who append many events tell them anyway.
    `checked`: as of how many erasures none of them is late.

    Raises:
        ErasedAmongThemError: there were others since, of somebody among their users.
        StoreUnavailableError: it is not known whether anything was appended; the same call may
            be repeated.

    """
    if len(events) == 1 and not events.reasons[0]:
        return await _append_event(connection, events, notify, checked)
    with store_faults():
        row = await one_row(
            connection,
            "SELECT epoch, before, accepted_at_us, known_sequences, known_fingerprints, unchecked"
            " FROM append_stamped_events($1, $2, $3, $4, $5, $6, $7, $8)",
            SHARD,
            events.tenants,
            events.event_ids,
            events.fingerprints,
            events.user_keys,
            events.reasons,
            events.entries,
            checked,
        )
    if row["unchecked"] is not None:
        raise ErasedAmongThemError
    known = None
    if row["known_sequences"] is not None:
        pairs = zip(row["known_sequences"], row["known_fingerprints"], strict=True)
        known = [None if pair[0] is None else pair for pair in pairs]
    return Appended(row["epoch"], row["before"], row["accepted_at_us"], known)


async def _append_event(
    connection: Connection, event: PreparedEvents, notify: bool, checked: int
) -> Appended:
    """Append the only event there is."""
    with store_faults():
        epoch, before, accepted_at_us, sequence, fingerprint, unchecked = await one_row(
            connection,
            "SELECT epoch, before, accepted_at_us, known_sequence, known_fingerprint, unchecked"
            " FROM append_event($1, $2, $3, $4, $5, $6, $7, $8)",
            SHARD,
            event.tenants[0],
            event.event_ids[0],
            event.fingerprints[0],
            event.user_keys[0],
            event.entries[0],
            notify,
            checked,
        )
    if unchecked is not None:
        raise ErasedAmongThemError
    known = None if sequence is None else [(sequence, fingerprint)]
    return Appended(epoch, before, accepted_at_us, known)


async def append_entries(connection: Connection, entries: Sequence[NewEntry]) -> Position:
    """Append entries and return the position of the last. Call it last in a transaction: it locks
    the log until commit.
    """
    appended = await append_stamped_entries(connection, entries)
    return Position(SHARD, appended.epoch, appended.before + len(entries))


async def append_stamped_entries(
    connection: Connection, entries: Sequence[NewEntry]
) -> AppendedEntries:
    """Append entries as `append_entries` does, and return where and when.

    Of erased users what comes late is left out: a tick takes its place.
    """
    checked = UNCHECKED
    while True:
        columns = (
            [entry.tenant for entry in entries],
            [entry.user_key for entry in entries],
            [entry.entry for entry in entries],
        )
        epoch, before, accepted_at_us, unchecked = await one_row(
            connection,
            "SELECT epoch, before, accepted_at_us, unchecked"
            " FROM append_stamped_entries($1, $2, $3, $4, $5)",
            SHARD,
            *columns,
            checked,
        )
        if unchecked is None:
            return AppendedEntries(epoch, before, accepted_at_us, entries)
        found = await find_late(connection, SHARD, *columns)
        checked = found.erasures
        entries = [
            NewEntry(entry.tenant, None, TICK) if place in found.late else entry
            for place, entry in enumerate(entries)
        ]


async def read_log(connection: Connection, after_sequence: int, limit: int) -> list[LogRow]:
    """Return up to `limit` entries after a sequence, in order, of about _READ_BYTES at most; the
    first of them whatever its size.
    """
    with store_faults():
        rows = await connection.fetch(_PAGE, SHARD, after_sequence, limit, _READ_BYTES)
    return [LogRow(*row) for row in rows]


async def read_entries(connection: Connection, sequences: Collection[int]) -> list[LogRow]:
    """Return those of some entries that are there, in no order."""
    with store_faults():
        rows = await connection.fetch(
            f"{_ROWS} AND sequence = ANY($2::bigint[])", SHARD, list(sequences)
        )
    return [LogRow(*row) for row in rows]
