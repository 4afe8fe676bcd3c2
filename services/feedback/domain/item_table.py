"""Items of a tenant as dense rows: vectors, where they started, and the Gramian of them all."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from services.feedback.domain.changes import Doubles, Flags, Floats, Ints

_FIRST_CAPACITY = 1024


class ItemTable:
    """Rows by ordinal. An ordinal is given once and never to another item.

    vectors, bases: float32 [rows, dimension]; biases: float32 [rows]; pinned, exists: [rows].
    gramian: float64 [dimension, dimension], the sum of outer products of all vectors.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.ids: list[str] = []
        self.payloads: list[bytes] = []
        self._ordinal_of: dict[str, int] = {}
        self.vectors: Floats = np.zeros((_FIRST_CAPACITY, dimension), np.float32)
        self.bases: Floats = np.zeros((_FIRST_CAPACITY, dimension), np.float32)
        self.biases: Floats = np.zeros(_FIRST_CAPACITY, np.float32)
        self.pinned: Flags = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.exists: Flags = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.gramian: Doubles = np.zeros((dimension, dimension), np.float64)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def capacity(self) -> int:
        """Rows allocated."""
        return int(self.exists.shape[0])

    def ordinal(self, item_id: str) -> int:
        """Return the ordinal of an item, deleted or not; -1 when it was never there."""
        return self._ordinal_of.get(item_id, -1)

    def ordinals(self, item_ids: Iterable[str]) -> Ints:
        """Return ordinals [n], -1 for unknown ids."""
        return np.fromiter((self._ordinal_of.get(i, -1) for i in item_ids), np.int64)

    def upsert(self, item_id: str, payload: bytes) -> int:
        """Create or update an item; return its ordinal."""
        ordinal = self._ordinal_of.get(item_id)
        if ordinal is None:
            ordinal = len(self.ids)
            self._ordinal_of[item_id] = ordinal
            self.ids.append(item_id)
            self.payloads.append(payload)
            if ordinal >= self.capacity:
                self._grow()
        self.payloads[ordinal] = payload
        self.exists[ordinal] = True
        return ordinal

    def delete(self, item_id: str) -> int:
        """Delete an item; return its ordinal. Its vector has to be set to zero with the others."""
        ordinal = self._ordinal_of[item_id]
        self.payloads[ordinal] = b""
        self.exists[ordinal] = False
        return ordinal

    def set_vectors(self, ordinals: Ints, vectors: Floats, biases: Floats, pinned: Flags) -> None:
        """Replace vectors, each ordinal at most once, and keep the Gramian up.

        The Gramian depends on how changes are grouped into calls; live learning and folding group
        them alike, one call per step.
        """
        old = self.vectors[ordinals].astype(np.float64)
        new = vectors.astype(np.float64)
        rows = np.concatenate([new, old])
        self.gramian += rows.T @ np.concatenate([new, -old])
        self.vectors[ordinals] = vectors
        self.biases[ordinals] = biases
        self.pinned[ordinals] = pinned

    def set_bases(self, ordinals: Ints, bases: Floats) -> None:
        """Replace what the item tower made of items."""
        self.bases[ordinals] = bases

    def names(self, ordinals: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """Return the ids of ordinals."""
        return [self.ids[ordinal] for ordinal in ordinals]

    def _grow(self) -> None:
        more = self.capacity
        self.vectors = np.concatenate([self.vectors, np.zeros_like(self.vectors)])
        self.bases = np.concatenate([self.bases, np.zeros_like(self.bases)])
        self.biases = np.concatenate([self.biases, np.zeros(more, np.float32)])
        self.pinned = np.concatenate([self.pinned, np.zeros(more, np.bool_)])
        self.exists = np.concatenate([self.exists, np.zeros(more, np.bool_)])
