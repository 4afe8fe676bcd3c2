"""A user's events as bytes: an open tail that grows by every event, and packed chunks.

A tail is records, the newest first: adding events leaves the end of it as it is, so that the
write-ahead log of the store has hardly more than what is new. A chunk is columns, compressed, by
sequence. Types are indices into the user's list of types.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from services.feed.entries import Doubles, Floats, Ints
from services.profile.domain.changes import UserEvent
from services.profile.domain.history import History, Row, history_of

_RECORD = struct.Struct("<qqfIHB")
"""Sequence, event time, weight, type, length of the item id, whether a value follows."""
_VALUE = struct.Struct("<d")
_FORMAT = 1
_HEADER = struct.Struct("<IBB")
"""Rows, whether there are values, whether there are rows put together."""


def types_of(packed: bytes) -> list[str]:
    """Return a user's list of types."""
    return packed.decode().split("\0") if packed else []


def packed_types(types: Sequence[str]) -> bytes:
    """Return a list of types, which hold no zero character, as bytes."""
    return "\0".join(types).encode()


def records_of(events: Sequence[UserEvent], codes: Mapping[str, int]) -> bytes:
    """Return events in log order as the beginning of a tail; `codes`: index by type."""
    return b"".join(
        _record(item_id, codes[kind], value, time_us, weight, sequence)
        for item_id, kind, value, time_us, weight, sequence in reversed(events)
    )


def tail_history(tail: bytes) -> History:
    """Return the events of a tail, in log order."""
    rows: list[Row] = []
    place, size = 0, len(tail)
    while place < size:
        sequence, time_us, weight, kind, length, has_value = _RECORD.unpack_from(tail, place)
        place += _RECORD.size
        item = tail[place : place + length].decode()
        place += length
        value = np.nan
        if has_value:
            (value,) = _VALUE.unpack_from(tail, place)
            place += _VALUE.size
        rows.append(Row(item, kind, value, time_us, weight, sequence))
    rows.reverse()
    return history_of(rows)


def tail_of(history: History) -> bytes:
    """Return events by themselves as a tail."""
    return b"".join(
        _record(
            history.items[place],
            int(history.types[place]),
            float(history.values[place]),
            int(history.times_us[place]),
            float(history.weights[place]),
            int(history.sequences[place]),
        )
        for place in np.argsort(history.sequences)[::-1].tolist()
    )


def _record(
    item_id: str, kind: int, value: float, time_us: int, weight: float, sequence: int
) -> bytes:
    item = item_id.encode()
    has_value = value == value
    record = _RECORD.pack(sequence, time_us, weight, kind, len(item), has_value) + item
    return record + _VALUE.pack(value) if has_value else record


def chunk_of(history: History) -> bytes:
    """Return a history, of one row or more, as a chunk."""
    history = history.picked(np.argsort(history.sequences))
    has_values = bool((history.values == history.values).any())
    has_together = bool(history.together.any())
    columns = [
        _shuffled(np.diff(history.sequences, prepend=0)),
        _shuffled(np.diff(history.times_us, prepend=0)),
        _shuffled(history.weights.astype("<f4")),
        _shuffled(history.types.astype("<u4")),
    ]
    if has_values:
        columns.append(_shuffled(history.values.astype("<f8")))
    if has_together:
        columns.append(_shuffled(history.together))
    columns.append("\0".join(history.items).encode())
    header = _HEADER.pack(len(history), has_values, has_together)
    return bytes([_FORMAT]) + zlib.compress(header + b"".join(columns))


def chunk_history(chunk: bytes) -> History:
    """Return the events of a chunk."""
    if chunk[0] != _FORMAT:
        raise ValueError(f"a chunk has format {chunk[0]}, which is not known")
    content = zlib.decompress(chunk[1:])
    size, has_values, has_together = _HEADER.unpack_from(content)
    place = _HEADER.size

    def column(kind: str) -> np.ndarray:
        nonlocal place
        width = np.dtype(kind).itemsize
        rows = np.frombuffer(content, np.uint8, size * width, place).reshape(width, size)
        place += size * width
        return np.ascontiguousarray(rows.T).view(kind).reshape(size)

    sequences: Ints = np.cumsum(column("<i8"))
    times_us: Ints = np.cumsum(column("<i8"))
    weights: Floats = column("<f4")
    types: Ints = column("<u4").astype(np.int64)
    values: Doubles = column("<f8") if has_values else np.full(size, np.nan)
    together: Ints = column("<i8") if has_together else np.zeros(size, np.int64)
    items = content[place:].decode().split("\0")
    return History(items, types, values, times_us, weights, sequences, together)


def _shuffled(column: npt.NDArray[np.generic]) -> bytes:
    """Return the first bytes of all numbers, then the second ones, and so on: they compress."""
    width = column.dtype.itemsize
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1, width).T.tobytes()
