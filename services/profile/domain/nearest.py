"""The vectors nearest to one, of many that come in batches."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from services.common.arrays import Float32s, Float64s


class Near(NamedTuple):
    """A vector that was compared: whose it is, and its cosine, -1 to 1."""

    key: bytes
    similarity: float


class Nearest:
    """Keeps the nearest by cosine; of equal ones those of the lower key."""

    def __init__(self, vector: Float32s, count: int) -> None:
        """Compare with `vector` [d], finite; keep `count` at most."""
        self._unit = _unit(vector.astype(np.float64)[np.newaxis])[0]
        self._count = count
        self._kept: list[Near] = []
        self.compared = 0
        """How many vectors were compared: all that were offered and have a length."""

    @property
    def has_direction(self) -> bool:
        """Whether the vector has a length: to one that has none nothing is near."""
        return bool(self._unit.any())

    def offer(self, keys: Sequence[bytes], vectors: Float32s) -> None:
        """Compare vectors [n, d], finite, of distinct keys; they replace those of the same keys."""
        again = set(keys)
        kept = [near for near in self._kept if near.key not in again]
        units = _unit(vectors.astype(np.float64))
        there = np.flatnonzero(units.any(axis=1))
        self.compared += there.size
        similar = np.clip(units[there] @ self._unit, -1.0, 1.0)
        if there.size > self._count:
            # All as near as the last one stay: which of them count is by key.
            least = np.partition(similar, -self._count)[-self._count]
            there, similar = there[similar >= least], similar[similar >= least]
        pairs = zip(there.tolist(), similar.tolist(), strict=True)
        found = [*kept, *(Near(keys[row], one) for row, one in pairs)]
        found.sort(key=lambda near: (-near.similarity, near.key))
        self._kept = found[: self._count]

    def found(self) -> list[Near]:
        """Return the nearest, the nearest first."""
        return self._kept


def _unit(rows: Float64s) -> Float64s:
    """Return rows of length 1, or 0. Scaled first: squares of the smallest are 0 otherwise."""
    scale = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    scaled = np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit: Float64s = np.divide(scaled, lengths, out=scaled, where=lengths > 0)
    return unit
