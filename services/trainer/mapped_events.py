"""Events of a table that need not fit memory: columns on disk, mapped, in order of time.

One pass over the table writes its columns; when they are not in order of time already, which logs
are, they are sorted by it once (16 bytes of memory an event meanwhile; all else is mapped). In
memory remain the distinct ids. What follows reads the columns in blocks or samples users.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.dataset.fields.event_fields import EventOptions
from services.dataset.history.event_file import EventNames, first_of_each, iter_event_chunks
from services.dataset.history.events import Events
from services.dataset.table.table import Table
from services.feedback.events.domain.event_types import EventType
from services.system.event_weights import event_weights

_PART = 1 << 20
_COLUMNS: Mapping[str, Any] = {
    "users": np.int32,
    "items": np.int32,
    "kinds": np.int16,
    "values": np.float64,
    "times_us": np.int64,
    "ids": np.uint64,
}


def map_events(
    table: Table,
    folder: Path,
    options: EventOptions | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Events:
    """Write the columns of a table into `folder`, and return them mapped, in order of time.

    Raises:
        ColumnError, SourceError: as read_events.

    """
    folder.mkdir(parents=True, exist_ok=True)
    names = EventNames()
    files = {name: (folder / f"{name}.bin").open("wb") for name in _COLUMNS}
    ordered, latest, with_ids = True, np.iinfo(np.int64).min, False
    try:
        for chunk in iter_event_chunks(table, options, names, progress):
            with_ids |= chunk.ids is not None
            for name, kind in _COLUMNS.items():
                column = getattr(chunk, name)
                if column is None:
                    column = np.zeros(len(chunk.users), kind)
                files[name].write(np.ascontiguousarray(column, kind).tobytes())
            times = chunk.times_us
            if times.size:
                ordered &= bool(latest <= times[0] and (np.diff(times) >= 0).all())
                latest = int(times[-1])
    finally:
        for file in files.values():
            file.close()
    columns = {name: _mapped(folder / f"{name}.bin", kind) for name, kind in _COLUMNS.items()}
    total, kept = len(columns["users"]), None
    if not ordered:
        kept = np.argsort(columns["times_us"], kind="stable")
    if with_ids:
        ids = columns["ids"] if kept is None else columns["ids"][kept]
        once = first_of_each(np.asarray(ids))
        kept = once if kept is None else kept[once]
    del columns["ids"]
    if kept is not None:
        columns = _picked(folder, columns, kept)
    return Events(
        user_ids=names.users.names,
        item_ids=names.items.names,
        types=names.types.names,
        rejected=dict(names.rejected),
        duplicates=total - len(columns["users"]),
        **columns,
    )


def map_weights(
    events: Events, types: Mapping[str, EventType], path: Path
) -> npt.NDArray[np.float32]:
    """Write the learning weight of every event to `path`, and return them mapped [n]."""
    with path.open("wb") as file:
        for begin in range(0, len(events), _PART):
            file.write(event_weights(events.slice(begin, begin + _PART), types).tobytes())
    return _mapped(path, np.float32)


def _picked(
    folder: Path, columns: Mapping[str, npt.NDArray], order: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray]:
    """Write some rows of columns anew, in the order given."""
    found = {}
    for name, column in columns.items():
        path = folder / f"{name}.sorted"
        with path.open("wb") as file:
            for begin in range(0, len(order), _PART):
                file.write(column[order[begin : begin + _PART]].tobytes())
        (folder / f"{name}.bin").unlink()
        found[name] = _mapped(path, column.dtype)
    return found


def _mapped(path: Path, kind: Any) -> npt.NDArray:
    """Map a flat file; an empty file cannot be mapped."""
    if path.stat().st_size == 0:
        return np.zeros(0, kind)
    return np.memmap(path, kind, mode="r")
