"""Events of a table as columns of numbers: in chunks, or whole and sorted.

Ids are interned on the way, so a whole history costs about 26 bytes an event (twice that while it
is sorted) and one string per distinct id. What does not fit into memory is read in chunks.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.dataset.fields.columns import require_column
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.history.event_batch import EventBatch, EventReader
from services.dataset.history.events import Codes, Events, Kinds, Times, Values
from services.dataset.history.interner import Interner
from services.dataset.history.ordered import nothing
from services.dataset.table.table import Table

DEFAULT_TYPE = "event"
"""Type of events when neither a column nor the caller says it."""

SESSION_PREFIX = "session:"
"""Goes before the ids of sessions, which have a name space of their own."""

Ids = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class EventNames:
    """The distinct ids of a table; chunks refer to them by index. They grow while chunks are read.

    `rejected` counts rows that were left out, by reason.
    """

    users: Interner = field(default_factory=Interner)
    items: Interner = field(default_factory=Interner)
    types: Interner = field(default_factory=Interner)
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events in the order of the table; columns as in Events.

    `ids`: hashes of event ids, 0 without one; None when the table has no ids.
    """

    users: Codes
    items: Codes
    kinds: Kinds
    values: Values
    times_us: Times
    ids: Ids | None = None


def read_events(
    table: Table,
    options: EventOptions | None = None,
    progress: Callable[[int], None] = nothing,
) -> Events:
    """Return all events of a table in order of time, exactly those that an import would send.

    `progress` hears how many rows are read. Rows that are no events are counted in `rejected`. Of
    several events of one id the first one counts, as in an import.

    Raises:
        ColumnError: a required column is missing.
        SourceError: the table is damaged.

    """
    names = EventNames()
    chunks = list(iter_event_chunks(table, options, names, progress))
    times = _joined([chunk.times_us for chunk in chunks], np.int64)
    order = np.argsort(times, kind="stable")
    columns = {
        "users": _joined([chunk.users for chunk in chunks], np.int32)[order],
        "items": _joined([chunk.items for chunk in chunks], np.int32)[order],
        "kinds": _joined([chunk.kinds for chunk in chunks], np.int16)[order],
        "values": _joined([chunk.values for chunk in chunks], np.float64)[order],
        "times_us": times[order],
    }
    duplicates = 0
    if any(chunk.ids is not None for chunk in chunks):
        ids = [
            np.zeros(len(chunk.users), np.uint64) if chunk.ids is None else chunk.ids
            for chunk in chunks
        ]
        once = first_of_each(_joined(ids, np.uint64)[order])
        duplicates = len(order) - len(once)
        columns = {name: column[once] for name, column in columns.items()}
    return Events(
        user_ids=names.users.names,
        item_ids=names.items.names,
        types=names.types.names,
        rejected=dict(names.rejected),
        duplicates=duplicates,
        **columns,
    )


def first_of_each(ids: Ids) -> npt.NDArray[np.int64]:
    """Return the rows [m], ascending, whose id comes for the first time, or that have none (0)."""
    found, first = np.unique(ids, return_index=True)
    rows = np.concatenate([first[found != 0], np.flatnonzero(ids == 0)])
    rows.sort()
    return rows


def iter_event_chunks(
    table: Table,
    options: EventOptions | None = None,
    names: EventNames | None = None,
    progress: Callable[[int], None] = nothing,
) -> Iterator[EventChunk]:
    """Yield the events of a table in its order, a block at a time.

    Only one chunk is in memory, and the distinct ids, which the caller gets in `names`.

    Raises:
        as read_events.

    """
    names = names if names is not None else EventNames()
    require_column("timestamp", table, None if options is None else options.timestamp)
    reader = EventReader(table, event_fields(table, options or EventOptions(), DEFAULT_TYPE))
    rows = 0
    for batch in reader.batches():
        rows += len(batch) + len(batch.faults)
        names.rejected.update(faulty.fault.reason for faulty in batch.faults)
        yield _chunk(batch, names, reader.fields.line_ids)
        progress(rows)


def _chunk(batch: EventBatch, names: EventNames, line_ids: bool) -> EventChunk:
    users: Sequence[str] = batch.users
    if any(batch.sessions):
        users = [user or f"{SESSION_PREFIX}{session}"
                 for user, session in zip(users, batch.sessions, strict=True)]  # fmt: skip
    ids = None
    if batch.event_ids is not None and not line_ids:
        ids = np.array([_id_hash(one) for one in batch.event_ids], np.uint64)
    return EventChunk(
        names.users.codes(users).astype(np.int32),
        names.items.codes(batch.items).astype(np.int32),
        names.types.codes(batch.types).astype(np.int16),
        batch.values,
        batch.times_us,
        ids,
    )


def _id_hash(event_id: str) -> int:
    if not event_id:
        return 0
    digest = hashlib.blake2b(event_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def _joined(parts: Sequence[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, kind)
