"""Events of a file that need not fit memory: columns on disk, mapped, in order of time.

One pass over the file writes its columns; when they are not in order of time already, which logs
are, they are sorted by it once (16 bytes of memory an event meanwhile; all else is mapped). In
memory remain the distinct ids. What follows reads the columns in blocks or samples users.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.dataset.event_columns import EventOptions
from services.dataset.event_file import EventNames, iter_event_chunks
from services.dataset.events import Events
from services.evaluation.event_weights import event_weights
from services.feedback.domain.event_types import EventType

_PART = 1 << 20
_COLUMNS: Mapping[str, Any] = {
    "users": np.int32,
    "items": np.int32,
    "kinds": np.int16,
    "values": np.float64,
    "times_us": np.int64,
}


def map_events(
    path: Path,
    folder: Path,
    options: EventOptions | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Events:
    """Write the columns of a file into `folder`, and return them mapped, in order of time.

    Raises:
        ColumnError, TableFileError: as read_events.

    """
    folder.mkdir(parents=True, exist_ok=True)
    names = EventNames()
    files = {name: (folder / f"{name}.bin").open("wb") for name in _COLUMNS}
    ordered, latest = True, np.iinfo(np.int64).min
    try:
        for chunk in iter_event_chunks(path, options, names=names, progress=progress):
            for name, kind in _COLUMNS.items():
                files[name].write(np.ascontiguousarray(getattr(chunk, name), kind).tobytes())
            times = chunk.times_us
            if times.size:
                ordered &= bool(latest <= times[0] and (np.diff(times) >= 0).all())
                latest = int(times[-1])
    finally:
        for file in files.values():
            file.close()
    columns = {name: _mapped(folder / f"{name}.bin", kind) for name, kind in _COLUMNS.items()}
    if not ordered:
        columns = _sorted(folder, columns)
    return Events(
        user_ids=names.users.names,
        item_ids=names.items.names,
        types=names.types.names,
        rejected=dict(names.rejected),
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


def _sorted(folder: Path, columns: Mapping[str, npt.NDArray]) -> dict[str, npt.NDArray]:
    order = np.argsort(columns["times_us"], kind="stable")
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
