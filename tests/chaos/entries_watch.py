"""Compares what comes by the entries lane with the log as PostgreSQL has it."""

import asyncio
import random
from collections import Counter
from typing import Any

import asyncpg
import grpc

from harken.internal.feed.v1 import entries_pb2, feed_service_pb2
from harken.internal.log.v1 import entry_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from tests.chaos.frames_table import AWAY
from tests.chaos.report import EARLY, LOST, ORDER, Report
from tests.end_to_end.clients import Caller

_SILENCE_SECONDS = 10.0
_CALL_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_MOST_MESSAGES = 40
_MOST_AWAY_SECONDS = 1.0
_REPEATED_ENTRIES = 50
_ORACLE = "log beside its entries"
_BROKEN = (TimeoutError, asyncio.InvalidStateError)

Told = tuple[Any, ...]
"""What an entry says, by the plainest of readings; its kind comes first."""


class EntriesWatch:
    """Follows the log in strides, now and then from a little earlier on: what it gets comes from
    the newest entries in memory, or from the table.
    """

    def __init__(self, caller: Caller, server: EmbeddedPostgres, seed: int, report: Report) -> None:
        self._caller = caller
        self._server = server
        self._report = report
        self._chance = random.Random(f"entries-{seed}")
        self._epoch = 0
        self._sequence = 0
        self._connection: asyncpg.Connection | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Follow and compare until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow_for_ever())
            await stop.wait()
            following.cancel()

    async def check_rest(self, head: int) -> str:
        """Follow up to a sequence of the log, at rest; return what is lacking."""
        if self._sequence < head:
            await self._follow(1)
        return "" if self._sequence >= head else f"entries up to {self._sequence}, not {head}"

    async def _follow_for_ever(self) -> None:
        while True:
            try:
                await self._follow(self._chance.randint(1, _MOST_MESSAGES))
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    # Truth 5: nothing is restored here, so what was served is part of the log.
                    self._report.complain(ORDER, _ORACLE, f"{error.details()}")
                    self._sequence = 0
            except _BROKEN:
                pass
            await asyncio.sleep(self._chance.random() * _MOST_AWAY_SECONDS)
            if self._chance.random() < 0.2:
                self._sequence = max(0, self._sequence - self._chance.randint(1, _REPEATED_ENTRIES))

    async def _follow(self, messages: int) -> None:
        request = feed_service_pb2.FollowEntriesRequest(subscriber="watch", user_facts=True)
        request.resume.epoch = self._epoch
        request.resume.sequence = self._sequence
        call = self._caller.follow_entries(request)
        try:
            while messages:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    message = await call.read()
                if message is grpc.aio.EOF:
                    return
                if not message.HasField("entries"):
                    continue
                entries = message.entries
                if entries.after_sequence != self._sequence:
                    self._report.complain(
                        ORDER, _ORACLE, f"{entries.after_sequence} after {self._sequence}"
                    )
                await self._check(entries)
                self._epoch, self._sequence = entries.epoch, entries.through_sequence
                messages -= 1
        finally:
            call.cancel()

    async def _check(self, entries: entries_pb2.Entries) -> None:
        """Truths 3 and 5: all that is committed by then and nothing else, in order."""
        after, through = entries.after_sequence, entries.through_sequence
        head, logged = await self._logged(after, through)
        if head < through:
            self._report.complain(EARLY, _ORACLE, f"entries up to {through}, the head is {head}")
            return
        told = _told(entries)
        self._report.entries_compared += len(logged)
        lacking, foreign = Counter(logged) - Counter(told), Counter(told) - Counter(logged)
        for one in lacking.elements():
            self._report.complain(LOST, _ORACLE, f"{after} to {through} lack {one}")
        for one in foreign.elements():
            self._report.complain(EARLY, _ORACLE, f"{after} to {through}: the log has no {one}")
        if not lacking and not foreign and _by_kind(told) != _by_kind(logged):
            self._report.complain(ORDER, _ORACLE, f"{after} to {through}")

    async def _logged(self, after: int, through: int) -> tuple[int, list[Told]]:
        """Return the committed head, and what the log says in a stretch, once PostgreSQL answers.

        What is committed stays so, whatever PostgreSQL goes through meanwhile.
        """
        while True:
            try:
                connection = await self._connected()
                head: int = await connection.fetchval("SELECT head FROM feedback.shards")
                rows = await connection.fetch(
                    "SELECT sequence, entry FROM feedback.log"
                    " WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence",
                    after,
                    through,
                )
            except AWAY:
                if self._connection is not None:
                    self._connection.terminate()
                self._connection = None
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return head, [
                    told
                    for row in rows
                    for told in _said(row["sequence"], entry_pb2.Entry.FromString(row["entry"]))
                ]

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._server.admin_dsn, timeout=_CALL_SECONDS, command_timeout=_CALL_SECONDS
            )
        return self._connection

    def close(self) -> None:
        """Let go of PostgreSQL."""
        if self._connection is not None:
            self._connection.terminate()


def _said(sequence: int, entry: entry_pb2.Entry) -> list[Told]:
    """Return what should be told of an entry of the log."""
    match entry.WhichOneof("kind"):
        case "event":
            one = entry.event
            return [("event", sequence, one.user_key, one.item_id, one.type)]
        case "event_retracted":
            taken = entry.event_retracted
            one = taken.event
            return [("retracted", taken.event_sequence, one.user_key, one.item_id, one.type)]
        case "user_fact":
            fact = entry.user_fact
            return [("fact", fact.user_key, fact.revision)]
        case "item_upserted":
            item = entry.item_upserted
            available = item.available if item.HasField("available") else True
            return [("item", sequence, item.item_id, True, available)]
        case "item_deleted":
            return [("item", sequence, entry.item_deleted, False, False)]
        case _:
            return []


def _told(entries: entries_pb2.Entries) -> list[Told]:
    """Return what a message tells."""
    found: list[Told] = []
    for own in entries.tenants:
        for kind, events in (("event", own.events), ("retracted", own.retracted)):
            found += [
                (
                    kind,
                    entries.after_sequence + offset,
                    own.user_keys[events.users[row]],
                    own.item_ids[events.items[row]],
                    own.types[events.types[row]],
                )
                for row, offset in enumerate(events.sequence_offsets)
            ]
        found += [("fact", own.user_keys[fact.user], fact.revision) for fact in own.facts]
        items = own.items
        found += [
            (
                "item",
                entries.after_sequence + offset,
                own.item_ids[items.items[row]],
                items.listed[row],
                items.available[row],
            )
            for row, offset in enumerate(items.sequence_offsets)
        ]
    return found


def _by_kind(told: list[Told]) -> dict[str, list[Told]]:
    """Return what is told by kind: only within one its order is that of the log."""
    found: dict[str, list[Told]] = {}
    for one in told:
        found.setdefault(one[0], []).append(one)
    return found
