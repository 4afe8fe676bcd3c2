"""Columns of frames: arrays as bytes, and back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def to_bytes(column: npt.NDArray[np.generic], kind: str) -> bytes:
    """Return an array as little-endian values of a kind, such as "<f4"."""
    return column.astype(kind, copy=False).tobytes()


def to_ints(column: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return a repeated field as an array."""
    return np.array(column, np.int64)


def to_rows(content: bytes, rows: int) -> npt.NDArray[np.float32]:
    """Return float32 [rows, d] that were written row after row."""
    values = np.frombuffer(content, "<f4")
    return values.reshape(rows, -1) if rows else values.reshape(0, 0)
