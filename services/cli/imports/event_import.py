"""Brings a history of events into a suite, and can go on where it was broken off."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harken.feedback.v1 import event_pb2, feedback_service_pb2
from services.cli.clients import Clients
from services.cli.imports.event_rows import EventRow
from services.cli.imports.event_stream import EventStream
from services.cli.imports.import_state import ImportState, ImportStateFile
from services.cli.imports.missing_items import MissingItems
from services.cli.imports.rejects import RejectsFile
from services.dataset.row_fault import RowFault

CHUNK_EVENTS = 2_000
"""Events in one request; the service takes up to 5000."""


@dataclass(frozen=True, slots=True)
class RowChunk:
    """Consecutive rows of a history. Rows with a fault hold their place and are not sent."""

    rows: Sequence[EventRow]

    @property
    def last_row(self) -> int:
        """Number of the last row."""
        return self.rows[-1].row.number

    def events(self) -> list[event_pb2.Event]:
        """Return the events to send."""
        return [row.event for row in self.rows if row.event is not None]

    def sent_rows(self) -> list[EventRow]:
        """Return the rows that were sent, in the order of their ordinals."""
        return [row for row in self.rows if row.event is not None]

    def request(self, tenant: str) -> feedback_service_pb2.ImportEventsRequest | None:
        """Return the request; None when all rows have a fault."""
        events = self.events()
        if not events:
            return None
        return feedback_service_pb2.ImportEventsRequest(tenant=tenant, events=events)


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of an import. Counts include what an earlier, broken run had done."""

    rows: int
    accepted: int
    duplicates: int
    rejected: int
    items_created: int
    resumed_after_row: int
    position: bytes
    """Latest position of this run; empty when it sent nothing."""


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
    ) -> None:
        """Import into `tenant`.

        `rejects` opens the file of rejected rows, keeping so many bytes of it. Without `state_file`
        nothing is resumed. `create_items` puts unknown items into the catalogue first.
        """
        self._clients = clients
        self._tenant = tenant
        self._open_rejects = rejects
        self._state_file = state_file
        self._missing = MissingItems(clients.catalog, tenant) if create_items else None
        self._chunk_events = chunk_events

    async def run(
        self,
        rows: Callable[[], Iterator[EventRow]],
        progress: Callable[[int], None] = lambda _: None,
    ) -> ImportSummary:
        """Import all rows; `rows` yields them from the beginning, each time it is called.

        `progress` hears how many rows are acknowledged.

        Raises:
            grpc.aio.AioRpcError: the suite refuses, or was away for too long. Run it again to go
                on after the last acknowledged row.

        """
        state = await self._resumable(rows)
        resumed_after = state.rows
        position = b""
        with self._open_rejects(state.rejects_bytes) as rejects:

            def answered(
                chunk: RowChunk, answer: feedback_service_pb2.ImportEventsResponse
            ) -> None:
                nonlocal state, position
                position = answer.position or position
                faults = _faults(chunk, answer)
                for row, fault in faults:
                    rejects.add(row.row, fault)
                state = ImportState(
                    chunk.last_row,
                    state.accepted + answer.accepted,
                    state.duplicates + answer.duplicates,
                    state.rejected + len(faults),
                    rejects.flush(),
                )
                if self._state_file is not None:
                    self._state_file.write(state)
                progress(chunk.last_row)

            after = itertools.dropwhile(lambda row: row.row.number <= resumed_after, rows())
            stream = EventStream[RowChunk](self._clients.feedback, self._tenant)
            await stream.send(self._chunks(after), answered)
        if self._state_file is not None:
            self._state_file.clear()
        return ImportSummary(
            state.rows,
            state.accepted,
            state.duplicates,
            state.rejected,
            self._missing.created if self._missing is not None else 0,
            resumed_after,
            position,
        )

    async def _resumable(self, rows: Callable[[], Iterator[EventRow]]) -> ImportState:
        """Return the state to go on from.

        The rows acknowledged last are sent again: when they are news to the suite, it is not the
        one that acknowledged them, and the import begins anew.
        """
        state = self._state_file.read() if self._state_file is not None else ImportState()
        if state.rows == 0:
            return state
        done = itertools.takewhile(lambda row: row.row.number <= state.rows, rows())
        last = RowChunk([row for row in done if row.row.number > state.rows - 100])
        if not last.rows or not last.events():
            return ImportState()
        answers: list[feedback_service_pb2.ImportEventsResponse] = []
        stream = EventStream[RowChunk](self._clients.feedback, self._tenant)
        await stream.send(self._chunks(last.rows), lambda _, answer: answers.append(answer))
        return state if answers[0].duplicates > 0 and answers[0].accepted == 0 else ImportState()

    async def _chunks(self, rows: Iterable[EventRow]) -> AsyncIterator[RowChunk]:
        source = iter(rows)
        while batch := list(itertools.islice(source, self._chunk_events)):
            chunk = RowChunk(batch)
            if self._missing is not None:
                await self._missing.create(event.item_id for event in chunk.events())
            yield chunk


def _faults(
    chunk: RowChunk, answer: feedback_service_pb2.ImportEventsResponse
) -> Sequence[tuple[EventRow, RowFault]]:
    """Return the rows that were not taken, by us or by the service, in order."""
    found = [(row, row.fault) for row in chunk.rows if row.fault is not None]
    sent = chunk.sent_rows()
    for result in answer.faults:
        outcome = event_pb2.EventOutcome.Name(result.outcome).removeprefix("EVENT_OUTCOME_")
        reason = event_pb2.EventReason.Name(result.reason).removeprefix("EVENT_REASON_")
        fault = RowFault(reason, f"{outcome.lower()}: {result.detail}")
        found.append((sent[result.ordinal], fault))
    return sorted(found, key=lambda pair: pair[0].row.number)
