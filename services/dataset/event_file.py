"""Events of a file as columns: CSV, JSON lines, Parquet; in chunks, or whole and sorted.

Ids are interned on the way, so a whole history costs about 26 bytes an event (twice that while it
is sorted) and one string per distinct id. What does not fit into memory is read in chunks.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from services.dataset.event_columns import EventColumns, EventOptions, event_columns
from services.dataset.events import Codes, Events, Kinds, Times, Values
from services.dataset.interner import Interner
from services.dataset.parquet_cells import is_parquet, parquet_cells, parquet_columns
from services.dataset.table_cells import Cells, table_cells
from services.dataset.table_file import TableFile

DEFAULT_TYPE = "event"
"""Type of events when neither a column nor the caller says it."""

SESSION_PREFIX = "session:"
"""Goes before the ids of sessions, which have a name space of their own."""

CHUNK_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class EventNames:
    """The distinct ids of a file; chunks refer to them by index. They grow while chunks are read.

    `rejected` counts rows that were left out, by reason.
    """

    users: Interner = field(default_factory=Interner)
    items: Interner = field(default_factory=Interner)
    types: Interner = field(default_factory=Interner)
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events in the order of the file; columns as in Events."""

    users: Codes
    items: Codes
    kinds: Kinds
    values: Values
    times_us: Times


def read_events(
    path: Path,
    options: EventOptions | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Events:
    """Return all events of a file in order of time.

    `progress` hears how many rows are read. Rows without subject, item or time, or with a cell
    that cannot be read, are left out and counted in `rejected`.

    Raises:
        ColumnError: a required column is missing.
        TableFileError: there is no such file, or it is damaged, or Parquet without pyarrow.

    """
    names = EventNames()
    chunks = list(iter_event_chunks(path, options, names=names, progress=progress))
    times = _joined([chunk.times_us for chunk in chunks], np.int64)
    order = np.argsort(times, kind="stable")
    return Events(
        user_ids=names.users.names,
        item_ids=names.items.names,
        types=names.types.names,
        users=_joined([chunk.users for chunk in chunks], np.int32)[order],
        items=_joined([chunk.items for chunk in chunks], np.int32)[order],
        kinds=_joined([chunk.kinds for chunk in chunks], np.int16)[order],
        values=_joined([chunk.values for chunk in chunks], np.float64)[order],
        times_us=times[order],
        rejected=dict(names.rejected),
    )


def iter_event_chunks(
    path: Path,
    options: EventOptions | None = None,
    rows_per_chunk: int = CHUNK_ROWS,
    names: EventNames | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[EventChunk]:
    """Yield the events of a file in its order, at most `rows_per_chunk` at a time.

    Only one chunk is in memory (of Parquet: one batch of a row group), and the distinct ids, which
    the caller gets in `names`.

    Raises:
        as read_events.

    """
    names = names if names is not None else EventNames()
    options = options or EventOptions()
    if is_parquet(path):
        columns = event_columns(parquet_columns(path), options, DEFAULT_TYPE)
        source = parquet_cells(path, _used(columns), rows_per_chunk)
    else:
        table = TableFile(path)
        columns = event_columns(table.columns, options, DEFAULT_TYPE)
        source = table_cells(table, _used(columns), rows_per_chunk, names.rejected)
    rows = 0
    for cells in source:
        rows += cells.rows
        yield _chunk(cells, columns, names)
        progress(rows)


def _used(columns: EventColumns) -> Sequence[str]:
    found = (columns.user, columns.session, columns.item, columns.timestamp, columns.type,
             columns.value)  # fmt: skip
    return list(dict.fromkeys(name for name in found if name is not None))


def _chunk(cells: Cells, columns: EventColumns, names: EventNames) -> EventChunk:
    valid = np.ones(cells.rows, np.bool_)

    def reject(wrong: np.ndarray, reason: str) -> None:
        found = valid & wrong
        count = int(np.count_nonzero(found))
        if count:
            names.rejected[reason] += count
            valid[found] = False

    nothing = np.full(cells.rows, -1, np.int64)
    users = nothing if columns.user is None else cells.texts(columns.user, names.users)
    if columns.session is not None and (columns.user is None or (users == -1).any()):
        sessions = cells.texts(columns.session, names.users, SESSION_PREFIX)
        users = np.where(users == -1, sessions, users)
    items = cells.texts(columns.item, names.items)
    reject(users == -1, "MISSING_SUBJECT")
    reject(items == -1, "MISSING_ITEM")
    kinds = nothing
    if columns.type is not None:
        kinds = cells.texts(columns.type, names.types)
        reject(kinds == -1, "MISSING_TYPE")
    else:
        kinds = np.full(cells.rows, names.types.code(columns.constant_type or DEFAULT_TYPE))
    for codes in (users, items, kinds):
        reject(codes == -2, "INVALID_TEXT")
    times, absent, wrong = cells.times(columns.timestamp)
    reject(absent, "MISSING_TIME")
    reject(wrong, "INVALID_TIME")
    values, wrong = cells.numbers(columns.value)
    reject(wrong, "INVALID_VALUE")
    if len(names.types.names) > np.iinfo(np.int16).max:
        reject(kinds > np.iinfo(np.int16).max, "TOO_MANY_TYPES")
    return EventChunk(
        users[valid].astype(np.int32),
        items[valid].astype(np.int32),
        kinds[valid].astype(np.int16),
        values[valid],
        times[valid],
    )


def _joined(parts: Sequence[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, kind)
