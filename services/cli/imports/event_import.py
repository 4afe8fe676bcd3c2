"""Brings a history of events into a suite, and can go on where it was broken off."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass

from harken.feedback.v1 import feedback_service_pb2
from services.cli.clients import Clients
from services.cli.imports.counts import Counts, RejectLimit
from services.cli.imports.event_chunk import (
    CHUNK_EVENTS,
    Batches,
    EventChunk,
    Window,
    chunks_of,
)
from services.cli.imports.event_stream import EventStream
from services.cli.imports.import_state import ImportState, ImportStateFile
from services.cli.imports.missing_items import MissingItems
from services.cli.imports.rejects import RejectsFile
from services.dataset.fields.event_fields import EventFields


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of an import. Counts include what an earlier, broken run had done.

    position: latest of this run; empty when it sent nothing.
    """

    counts: Counts
    resumed_after_row: int
    position: bytes


@dataclass(frozen=True, slots=True)
class History:
    """Events in the order in which they are imported, and what is meant of them.

    rows: of all events and faulty rows.
    """

    batches: Batches
    fields: EventFields
    window: Window
    rows: int


class EventImport:
    """One import of one source."""

    def __init__(
        self,
        clients: Clients,
        tenant: str,
        rejects: Callable[[int], RejectsFile],
        state_file: ImportStateFile | None,
        create_items: bool = False,
        chunk_events: int = CHUNK_EVENTS,
        limit: RejectLimit | None = None,
    ) -> None:
        """Import into `tenant`.

        `rejects` opens the file of rejected rows, keeping so many bytes of it. Without `state_file`
        nothing is resumed. `create_items` puts unknown items into the catalogue first. `limit`:
        stop when more rows than that are not taken.
        """
        self._clients = clients
        self._tenant = tenant
        self._open_rejects = rejects
        self._state_file = state_file
        self._missing = MissingItems(clients.catalog, tenant) if create_items else None
        self._chunk_events = chunk_events
        self._limit = limit or RejectLimit()

    async def run(
        self, history: History, progress: Callable[[int], None] = lambda _: None
    ) -> ImportSummary:
        """Import all events; `progress` hears how many rows are acknowledged.

        Raises:
            grpc.aio.AioRpcError: the suite refuses, or was away for too long. Run it again to go
                on after the last acknowledged row.
            CommandError: more rows are not taken than the limit allows.

        """
        state = await self._resumable(history)
        resumed_after = state.rows
        position = b""
        created_before = state.counts.created
        with self._open_rejects(state.rejects_bytes) as rejects:

            def answered(
                chunk: EventChunk, answer: feedback_service_pb2.ImportEventsResponse
            ) -> None:
                nonlocal state, position
                position = answer.position or position
                quarantined, rejected = chunk.faulty(answer, history.fields)
                for row in quarantined:
                    rejects.add(row, "quarantined")
                for row in rejected:
                    rejects.add(row, "rejected")
                counts = state.counts.plus(
                    rows=chunk.rows - state.rows,
                    accepted=answer.accepted,
                    duplicates=answer.duplicates,
                    quarantined=len(quarantined),
                    rejected=len(rejected),
                )
                if self._missing is not None:
                    counts = counts.plus(
                        created=created_before + self._missing.created - counts.created
                    )
                state = ImportState(counts, rejects.flush())
                if self._state_file is not None:
                    self._state_file.write(state)
                progress(chunk.rows)
                self._limit.check(counts.not_taken, history.rows, sent=True)

            after = itertools.dropwhile(
                lambda chunk: chunk.rows <= resumed_after, self._chunks(history)
            )
            stream = EventStream[EventChunk](self._clients.feedback, self._tenant)
            await stream.send(self._prepared(after), answered)
        if self._state_file is not None:
            self._state_file.clear()
        return ImportSummary(state.counts, resumed_after, position)

    def _chunks(self, history: History) -> Iterator[EventChunk]:
        return chunks_of(
            history.batches(), history.fields.line_ids, history.window, self._chunk_events
        )

    async def _resumable(self, history: History) -> ImportState:
        """Return the state to go on from.

        The events acknowledged last are sent again: when they are news to the suite, it is not the
        one that acknowledged them, and the import begins anew.
        """
        state = self._state_file.read() if self._state_file is not None else ImportState()
        if state.rows == 0:
            return state
        last: EventChunk | None = None
        for chunk in self._chunks(history):
            if chunk.rows > state.rows:
                break
            last = chunk if chunk.event_ids else last
        if last is None:
            return ImportState()
        answers: list[feedback_service_pb2.ImportEventsResponse] = []
        stream = EventStream[EventChunk](self._clients.feedback, self._tenant)
        await stream.send(self._prepared([last]), lambda _, answer: answers.append(answer))
        known = answers[0].duplicates > 0 and answers[0].accepted == 0
        return state if known else ImportState()

    async def _prepared(self, chunks: Iterable[EventChunk]) -> AsyncIterator[EventChunk]:
        for chunk in chunks:
            if self._missing is not None:
                await self._missing.create(chunk.items())
            yield chunk
