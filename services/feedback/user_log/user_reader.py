"""All that the log holds of one user: events, also those taken back or set aside, and slates."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import asyncpg

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import feedback_service_pb2
from harken.internal.log.v1 import entry_pb2
from harken.profile.v1 import user_export_pb2 as pb
from services.common.database import one_row, session, store_faults
from services.common.position import Position
from services.common.turns import Turns
from services.common.vault.vault import UserVault
from services.feedback.events.event_export_conversion import exported_events
from services.feedback.events.sealed_contexts import open_contexts
from services.feedback.log.log_store import SHARD, LogRow
from services.feedback.slates.slate_export import JoinedSlate
from services.feedback.slates.slate_export_conversion import exported_slate

_STRETCH = 200_000
"""Entries looked through at once: some tenths of a second where none is held in memory."""
_PAGE_EVENTS = 1000
_PAGE_SLATES = 100
_MOST_WAITING = 4
_COME_AGAIN_SECONDS = 2.0
# No index: it would cost every append, and who asks for this is rare.
_READ = """
    SELECT l.sequence, l.tenant, l.entry, r.sequence IS NOT NULL AS retracted,
        (extract(epoch FROM l.accepted_at) * 1000000)::bigint AS accepted_at_us
    FROM log l LEFT JOIN retractions r ON r.shard = l.shard AND r.event_sequence = l.sequence
    WHERE l.shard = $1 AND l.sequence > $2 AND l.sequence <= $3
        AND l.user_key = $5 AND l.tenant = $4
        AND NOT EXISTS (
            SELECT FROM erasures e WHERE e.tenant = $4 AND e.tombstone = sha256($5)
                AND e.sequence > l.sequence
        )
    ORDER BY l.sequence
"""
_QUARANTINED = """
    SELECT entry, reason, (extract(epoch FROM quarantined_at) * 1000000)::bigint AS at_us
    FROM quarantine WHERE tenant = $1 AND user_key = $2
    ORDER BY quarantined_at, event_id
"""


@dataclass(slots=True)
class UserPage:
    """Some of what there is of a user, and up to where the log was looked through."""

    through: Position
    events: list[pb.UserExportEvent] = field(default_factory=list)
    slates: pb.UserExportSlates = field(default_factory=pb.UserExportSlates)


class UserReader:
    """Looks through the log for one user at a time."""

    def __init__(self, pool: asyncpg.Pool, vault: UserVault) -> None:
        self._pool = pool
        self._vault = vault
        self._turns = Turns("such calls", _MOST_WAITING, _COME_AGAIN_SECONDS)

    async def pages(self, tenant: str, user_key: bytes) -> AsyncIterator[UserPage]:
        """Yield what there is, up to the end of the log as of now; at least one page.

        Raises:
            OverloadedError: too many wait already.
            StoreUnavailableError: the store is away.

        """
        async with self._turns.turn():
            async for page in self._pages(tenant, user_key):
                yield page

    async def _pages(self, tenant: str, user_key: bytes) -> AsyncIterator[UserPage]:
        async with session(self._pool) as connection:
            shard = await one_row(
                connection,
                "SELECT epoch, head, (SELECT coalesce(min(sequence), 1) FROM log l"
                " WHERE l.shard = s.shard) AS first FROM shards s WHERE shard = $1",
                SHARD,
            )
        through = Position(SHARD, shard["epoch"], shard["head"])
        yield UserPage(through)
        subject = (await self._vault.subjects(tenant, [user_key])).get(user_key)
        if subject is None:
            # Nobody knows who it is any more.
            return
        after: int = shard["first"] - 1
        while after < through.sequence:
            until = min(after + _STRETCH, through.sequence)
            with store_faults():
                rows = await self._pool.fetch(_READ, SHARD, after, until, tenant, user_key)
            after = until
            for start in range(0, len(rows), _PAGE_SLATES):
                # Slates may be large, and a page has room for as many of them.
                part = rows[start : start + _PAGE_SLATES]
                yield _page(through, part, await self._entries(tenant, part), subject)
        with store_faults():
            rows = await self._pool.fetch(_QUARANTINED, tenant, user_key)
        for start in range(0, len(rows), _PAGE_EVENTS):
            part = rows[start : start + _PAGE_EVENTS]
            entries = await self._entries(tenant, part)
            events = [
                _quarantined(row, entry, subject) for row, entry in zip(part, entries, strict=True)
            ]
            yield UserPage(through, events)

    async def _entries(self, tenant: str, rows: Sequence[asyncpg.Record]) -> list[entry_pb2.Entry]:
        """Return the entries of rows, with what of events is sealed in the clear."""
        entries = [entry_pb2.Entry.FromString(row["entry"]) for row in rows]
        await open_contexts(
            self._vault, tenant, [one.event for one in entries if one.HasField("event")]
        )
        return entries


def _page(
    through: Position, rows: Sequence[asyncpg.Record], entries: Sequence[entry_pb2.Entry],
    subject: subject_pb2.Subject,
) -> UserPage:  # fmt: skip
    page = UserPage(through)
    for row, entry in zip(rows, entries, strict=True):
        if entry.HasField("event"):
            event = _exported(row["sequence"], row["accepted_at_us"], entry, subject)
            page.events.append(pb.UserExportEvent(event=event, retracted=row["retracted"]))
        elif entry.HasField("slate"):
            slate = JoinedSlate(row["sequence"], row["accepted_at_us"], entry.slate, [], False)
            shown = exported_slate(slate, (), subject)
            shown.ClearField("decision")
            page.slates.slates.append(shown)
    return page


def _quarantined(
    row: asyncpg.Record, entry: entry_pb2.Entry, subject: subject_pb2.Subject
) -> pb.UserExportEvent:
    event = _exported(0, row["at_us"], entry, subject)
    event.ClearField("weight")
    return pb.UserExportEvent(event=event, quarantined=row["reason"])


def _exported(
    sequence: int, at_us: int, entry: entry_pb2.Entry, subject: subject_pb2.Subject
) -> feedback_service_pb2.ExportedEvent:
    row = LogRow(sequence, "", at_us, b"")
    (event,) = exported_events([(row, entry.event)], {entry.event.user_key: subject})
    return event
