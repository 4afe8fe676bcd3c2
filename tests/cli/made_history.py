"""A history of events that is made, and imports of it as the command runs them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from services.cli.clients import Clients
from services.cli.imports.counts import RejectLimit
from services.cli.imports.event_chunk import EventChunk, Window, chunks_of
from services.cli.imports.event_import import EventImport, History, ImportSummary
from services.cli.imports.import_state import ImportStateFile
from services.cli.imports.rejects import RejectsFile
from services.dataset.faults import FaultyRow, RowFault
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.history.event_batch import EventBatch
from services.dataset.table.table import Table
from tests.cli.scripted_suite import BAD_ITEM
from tests.dataset.tables import table_of, written

ROWS = 50
ALL = tuple(range(1, ROWS + 1))


def batch_of(numbers: Sequence[int], faulty: frozenset[int], bad: frozenset[int]) -> EventBatch:
    """Return the rows with these numbers as a batch; on line number + 1, as behind a header."""
    good = [n for n in numbers if n not in faulty]
    fault = RowFault("INVALID_TIME", "'never' is no time", "timestamp", "never")
    return EventBatch(
        files=["events.csv"] * len(good),
        numbers=good,
        lines=[n + 1 for n in good],
        users=[f"u{n % 7}" for n in good],
        sessions=[""] * len(good),
        items=[BAD_ITEM if n in bad else f"i{n}" for n in good],
        types=["view"] * len(good),
        values=np.full(len(good), np.nan),
        times_us=np.array(good, np.int64) * 10**6,
        faults=[
            FaultyRow(n, n + 1, "events.csv", fault, {"timestamp": "never"})
            for n in numbers if n in faulty
        ],
    )  # fmt: skip


class Rows:
    """A history that can be read again and again, in batches of `size` rows."""

    def __init__(
        self, count: int = ROWS, faulty: Sequence[int] = (), bad: Sequence[int] = (), size: int = 5
    ) -> None:
        self.made = 0
        self._count = count
        self._faulty = frozenset(faulty)
        self._bad = frozenset(bad)
        self._size = size

    def batches(self) -> Iterator[EventBatch]:
        for begin in range(1, self._count + 1, self._size):
            numbers = range(begin, min(begin + self._size, self._count + 1))
            self.made += len(numbers)
            yield batch_of(numbers, self._faulty, self._bad)

    def history(self, table: Table, window: Window | None = None) -> History:
        fields = event_fields(table, EventOptions())
        return History(self.batches, fields, window or Window(), self._count)

    def chunks(self) -> list[EventChunk]:
        return list(chunks_of(self.batches(), False, Window(), 5))


class Importer:
    """Runs imports of one file, as the command does."""

    def __init__(
        self,
        clients: Clients,
        folder: Path,
        create_items: bool = False,
        limit: RejectLimit | None = None,
    ) -> None:
        self.state = ImportStateFile(folder, "test")
        self.file = folder / "events.csv.rejects.jsonl"
        self.fallback = folder / "fallback" / "events.csv.rejects.jsonl"
        self._source = written(folder / "events.csv", "user,item,event,timestamp,event_id\n")
        self._job = EventImport(
            clients,
            "default",
            lambda keep: RejectsFile(self.file, self.fallback, keep),
            self.state,
            create_items,
            chunk_events=5,
            limit=limit,
        )

    async def run(
        self, rows: Rows, window: Window | None = None, seen: list[int] | None = None
    ) -> ImportSummary:
        heard = [] if seen is None else seen
        with table_of(self._source) as table:
            return await self._job.run(rows.history(table, window), heard.append)

    async def interrupted(self, rows: Rows, at_row: int) -> None:
        def stop(row: int) -> None:
            if row >= at_row:
                raise InterruptedImportError

        with table_of(self._source) as table, pytest.raises(InterruptedImportError):
            await self._job.run(rows.history(table), stop)

    def rejects(self) -> list[dict]:
        path = self.file if self.file.is_file() else self.fallback
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class InterruptedImportError(Exception):
    pass
