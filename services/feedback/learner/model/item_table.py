"""Items of a tenant as dense rows, whatever the generation."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from services.common.arrays import grown
from services.common.runs import distinct
from services.feed.parameters import Flags, Ints

_FIRST_CAPACITY = 1024


class ItemTable:
    """Rows by ordinal. An ordinal is given once and never to another item. exists: [rows].
    revisions: [rows], of payloads, which count up from 1.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.payloads: list[bytes] = []
        self._ordinal_of: dict[str, int] = {}
        self.exists: Flags = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.revisions: npt.NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)

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
        return np.array([self._ordinal_of.get(i, -1) for i in item_ids], np.int64)

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
        self.revisions[ordinal] += 1
        return ordinal

    def delete(self, item_id: str) -> int:
        """Delete an item; return its ordinal. Its vectors have to be set to zero, too."""
        ordinal = self._ordinal_of[item_id]
        self.payloads[ordinal] = b""
        self.exists[ordinal] = False
        self.revisions[ordinal] += 1
        return ordinal

    def names(self, ordinals: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """Return the ids of ordinals."""
        return [self.ids[ordinal] for ordinal in np.asarray(ordinals, np.int64).tolist()]

    def _grow(self) -> None:
        self.exists = np.concatenate([self.exists, np.zeros_like(self.exists)])
        self.revisions = np.concatenate([self.revisions, np.zeros_like(self.revisions)])


class ReadPayloads:
    """Which payloads of an item table somebody has read."""

    def __init__(self, items: ItemTable) -> None:
        self._items = items
        self._read: npt.NDArray[np.int32] = np.zeros(0, np.int32)

    def news(self, ordinals: Ints) -> Ints:
        """Return those of the items, ascending, whose payload is another one than was read last,
        and take note that it is read.
        """
        self._read = grown(self._read, self._items.capacity, 0)
        stale: Ints = ordinals[self._read[ordinals] != self._items.revisions[ordinals]]
        if stale.size:
            stale = distinct(stale)
            self._read[stale] = self._items.revisions[stale]
        return stale
