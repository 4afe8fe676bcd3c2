"""Checks of what a frame says about vectors of users. Each returns what it checked, or raises."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from services.common.norm_slack import NORM_SLACK
from services.common.progress import Applied

GenerationName = tuple[str, str]
"""Tenant and generation id."""


class FaultError(Exception):
    """What is wrong with a frame."""


class Shape(NamedTuple):
    """What vectors of a generation look like; `max_norm` is None when it is not known."""

    dimension: int
    max_norm: float | None


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


def owners(column: Sequence[int], users: int) -> list[int]:
    """Return whose vectors they are: indices, not negative as they come unsigned."""
    if column and max(column) >= users:
        raise FaultError(f"vector_users points at {max(column)}, beyond {users} users")
    return list(column)


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
