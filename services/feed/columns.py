"""Columns on the wire: arrays as bytes or repeated fields, and back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def to_bytes(column: npt.NDArray[np.generic], kind: str) -> bytes:
    """Return an array as little-endian values of a kind, such as "<f4"."""
    return column.astype(kind, copy=False).tobytes()


def to_ints(column: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return a repeated field as an array."""
    return np.array(column, np.int64)


def to_rows(values: npt.NDArray[np.float32], rows: int) -> npt.NDArray[np.float32]:
    """Return values that were written row after row, as [rows, d]. Raises ValueError when torn."""
    if rows == 0:
        if values.size:
            raise ValueError("vectors of nobody")
        return values.reshape(0, 0)
    if values.size % rows:
        raise ValueError(f"{values.size} values are no {rows} whole vectors")
    return values.reshape(rows, -1)
