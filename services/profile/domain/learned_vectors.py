"""Checks of what a frame says about users. Each returns what it checked, or raises FaultError."""

import math
import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from services.common.norm_slack import NORM_SLACK
from services.common.progress import Applied
from services.profile.domain.frame_changes import Shape

# What google.protobuf.Timestamp can say: years 1 to 9999.
_MIN_TIME_US = -62_135_596_800 * 1_000_000
_MAX_TIME_US = 253_402_300_800 * 1_000_000 - 1


class FaultError(Exception):
    """What is wrong with a frame."""


def check_point(shard: int, epoch: int, through_sequence: int, after: Applied) -> None:
    """Check that a frame leads on from `after`."""
    if shard != 0:
        raise FaultError(f"shard {shard} is not ours")
    if epoch < after.epoch:
        raise FaultError(f"epoch {epoch} comes after epoch {after.epoch}")
    if through_sequence < after.sequence:
        raise FaultError(f"sequence {through_sequence} comes after sequence {after.sequence}")


def activated_shape(generation_id: str, dimension: int, max_norm: float) -> Shape:
    """Return the shape that the manifest of a generation states."""
    if dimension < 1 or not (math.isfinite(max_norm) and max_norm > 0):
        raise FaultError(f"generation {generation_id!r} has no dimension or bound")
    return Shape(dimension, max_norm)


def user_keys(keys: Iterable[bytes]) -> list[bytes]:
    """Return user keys: none is empty, none comes twice."""
    found = list(keys)
    if not all(found) or len(set(found)) != len(found):
        raise FaultError("user keys are empty or doubled")
    return found


def names(given: Iterable[str]) -> list[str]:
    """Return item ids or types: none is empty or holds a zero character."""
    found = list(given)
    for name in found:
        if not name or "\0" in name:
            raise FaultError(f"{name!r} is no item id or type")
    return found


def indices(name: str, column: Sequence[int], rows: int, below: int) -> list[int]:
    """Return a column of `rows` indices, not negative as they come unsigned, all `below`."""
    if len(column) != rows:
        raise FaultError(f"{name} has {len(column)} rows, not {rows}")
    if rows and max(column) >= below:
        raise FaultError(f"{name} points at {max(column)}, beyond {below} entries")
    return list(column)


def values(column: bytes, rows: int) -> list[float]:
    """Return the values of events, float64; NaN where there is none."""
    found = _floats("event_values", column, "d", rows)
    if math.inf in found or -math.inf in found:
        raise FaultError("a value is infinite")
    return found


def weights(column: bytes, rows: int) -> list[float]:
    """Return the weights of events, float32."""
    found = _floats("event_weights", column, "f", rows)
    if not all(map(math.isfinite, found)):
        raise FaultError("a weight is not finite")
    return found


def times(column: Sequence[int], rows: int) -> list[int]:
    """Return event times in unix microseconds."""
    if len(column) != rows:
        raise FaultError(f"event_times_us has {len(column)} rows, not {rows}")
    if rows and (min(column) < _MIN_TIME_US or max(column) > _MAX_TIME_US):
        raise FaultError("an event time lies outside the years 1 to 9999")
    return list(column)


def sequences(column: Sequence[int], rows: int, after: int, through: int) -> list[int]:
    """Return the sequences of events, ascending, within (after, through]."""
    if len(column) != rows:
        raise FaultError(f"event_sequences has {len(column)} rows, not {rows}")
    found = list(column)
    if rows:
        if any(later <= earlier for earlier, later in pairwise(found)):
            raise FaultError("events are not in log order")
        if not (after < found[0] and found[-1] <= through):
            raise FaultError(f"events {found[0]} to {found[-1]} lie outside ({after}, {through}]")
    return found


def checked_vectors(vectors: bytes, rows: int, shape: Shape | None) -> Shape:
    """Check `rows` >= 1 vectors, float32 row after row; return their shape.

    Where none is known, these vectors tell the dimension.
    """
    size = len(vectors)
    if shape is None:
        if size == 0 or size % (4 * rows):
            raise FaultError(f"vectors of {size} bytes are not {rows} rows of one dimension")
        shape = Shape(size // (4 * rows), None)
    if size != rows * shape.dimension * 4:
        raise FaultError(
            f"vectors of {size} bytes are not {rows} rows of dimension {shape.dimension}"
        )
    table = np.frombuffer(vectors, "<f4").reshape(rows, shape.dimension)
    # In double precision, where no square of a float32 overflows: finite as the vectors are.
    squares = np.square(table, dtype=np.float64).sum(axis=1)
    norm = math.sqrt(squares.max())
    if not math.isfinite(norm):
        raise FaultError("a vector is not finite")
    if shape.max_norm is not None and norm > shape.max_norm * (1 + NORM_SLACK):
        raise FaultError(f"a vector has norm {norm:.6g}, more than {shape.max_norm:.6g}")
    return shape


def _floats(name: str, column: bytes, kind: Literal["d", "f"], rows: int) -> list[float]:
    """Return a column of little-endian floats. Not by NumPy: most frames have one or two rows."""
    layout = struct.Struct(f"<{rows}{kind}")
    if len(column) != layout.size:
        raise FaultError(f"{name} has {len(column)} bytes, which are not {rows} rows")
    return list(layout.unpack(column))
