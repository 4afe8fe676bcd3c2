"""The events of a table in order of time, in bounded memory.

A table is looked through first. One whose events are in order is then read as it is; another one is
sorted on disk.
"""

import marshal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from services.dataset.faults import FaultyRow, RowFault
from services.dataset.history.event_batch import EventBatch, EventReader

_BATCH_ROWS = 20_000
_CACHE_KIB = 64 * 1024
_SCHEMA = """
    CREATE TABLE events (time_us INTEGER, number INTEGER, event BLOB);
    CREATE TABLE faults (number INTEGER, fault BLOB);
"""


def nothing(_: int) -> None:
    """Hear of no progress."""


@dataclass(slots=True)
class Survey:
    """What a look through a table found.

    `rows`: all, faulty ones too. `rejected`: how many of them are faulty, by reason. `ordered`:
    events are in order of time; else `first_late` is the row that comes too late. While a table is
    not ordered, it was not looked through to its end.
    """

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    ordered: bool = True
    first_late: int = 0

    def note(self, batch: EventBatch) -> None:
        """Count a batch."""
        self.rows += len(batch) + len(batch.faults)
        self.rejected.update(faulty.fault.reason for faulty in batch.faults)


class OrderedEvents:
    """Events by time; of one time in the order of the table. Rows that are none come first, or,
    when the table is in order itself, where they stand.
    """

    def __init__(self, reader: EventReader, folder: Path) -> None:
        """Read events; `folder` takes what is sorted on disk, and is the caller's to remove."""
        self._reader = reader
        self._path = folder / "events.sqlite"
        self.survey = Survey()

    def look_through(self, progress: Callable[[int], None] = nothing) -> Survey:
        """Find out whether the table is in order; sort it when it is not.

        `progress` hears how many rows are read.

        Raises:
            SourceError: the table is damaged.

        """
        survey = Survey()
        latest = np.iinfo(np.int64).min
        for batch in self._reader.batches():
            times = batch.times_us
            if times.size:
                late = np.flatnonzero(np.diff(times, prepend=latest) < 0)
                if times[0] < latest or late[late > 0].size:
                    survey.ordered = False
                    first = 0 if times[0] < latest else int(late[late > 0][0])
                    survey.first_late = batch.numbers[first]
                    break
                latest = times[-1]
            survey.note(batch)
            progress(survey.rows)
        self.survey = survey
        if not survey.ordered:
            self._sort(survey, progress)
        return survey

    def batches(self) -> Iterator[EventBatch]:
        """Yield all events in order, from the first one, each time it is called.

        Raises:
            SourceError: the table is damaged.

        """
        return self._reader.batches() if self.survey.ordered else self._sorted()

    def _sort(self, survey: Survey, progress: Callable[[int], None]) -> None:
        """Write all rows to disk; the database sorts them when they are read."""
        survey.rows = 0
        survey.rejected.clear()
        self._reader.times.units.clear()
        self._path.unlink(missing_ok=True)
        with _connected(self._path) as database:
            database.executescript(_SCHEMA)
            for batch in self._reader.batches():
                database.executemany("INSERT INTO events VALUES (?, ?, ?)", _packed(batch))
                database.executemany(
                    "INSERT INTO faults VALUES (?, ?)",
                    ((one.number, _packed_fault(one)) for one in batch.faults),
                )
                survey.note(batch)
                progress(survey.rows)
            database.commit()

    def _sorted(self) -> Iterator[EventBatch]:
        with _connected(self._path) as database:
            faults = database.execute("SELECT fault FROM faults ORDER BY number")
            while page := faults.fetchmany(_BATCH_ROWS):
                yield _batch([], [_fault(fault) for (fault,) in page])
            events = database.execute(
                "SELECT time_us, number, event FROM events ORDER BY time_us, number"
            )
            while page := events.fetchmany(_BATCH_ROWS):
                yield _batch(page, [])


class _connected:  # noqa: N801
    """A connection that keeps to bounded memory and is closed at the end of the block."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)

    def __enter__(self) -> sqlite3.Connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE",
                       f"cache_size=-{_CACHE_KIB}"):  # fmt: skip
            self._database.execute(f"PRAGMA {pragma}")
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _packed(batch: EventBatch) -> Iterator[tuple[int, int, bytes]]:
    nothing = [None] * len(batch)
    contexts = batch.contexts
    for time, number, *rest in zip(
        batch.times_us.tolist(), batch.numbers, batch.files, batch.lines, batch.users,
        batch.sessions, batch.items, batch.types, batch.values.tolist(),
        batch.event_ids or nothing, batch.slate_ids or nothing,
        nothing if contexts is None else map(dict, contexts), strict=True,
    ):  # fmt: skip
        yield time, number, marshal.dumps(rest)


def _batch(page: list[tuple[int, int, bytes]], faults: list[FaultyRow]) -> EventBatch:
    rows = [marshal.loads(packed) for _, _, packed in page]
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * 10
    files, lines, users, sessions, items, types, values, event_ids, slate_ids, contexts = columns
    return EventBatch(
        files=files,
        numbers=[number for _, number, _ in page],
        lines=lines,
        users=users,
        sessions=sessions,
        items=items,
        types=types,
        values=np.array(values, np.float64),
        times_us=np.array([time for time, _, _ in page], np.int64),
        event_ids=_given(event_ids, ""),
        slate_ids=_given(slate_ids, ""),
        contexts=_given(contexts, {}),
        faults=faults,
    )


def _given(cells: Any, empty: Any) -> Any:
    """Return cells that a column gave, None where no column did."""
    if all(cell is None for cell in cells):
        return None
    return [empty if cell is None else cell for cell in cells]


def _packed_fault(faulty: FaultyRow) -> bytes:
    fault = faulty.fault
    cells = {name: repr(cell) if not isinstance(cell, str) else cell
             for name, cell in faulty.cells.items()}  # fmt: skip
    return marshal.dumps((faulty.number, faulty.line, faulty.file, fault.reason, fault.detail,
                          fault.column, fault.value, cells))  # fmt: skip


def _fault(packed: bytes) -> FaultyRow:
    number, line, file, reason, detail, column, value, cells = marshal.loads(packed)
    return FaultyRow(number, line, file, RowFault(reason, detail, column, value), cells)
