"""Items of a tenant as dense rows, whatever the generation."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from services.feed.parameters import Flags, Ints

_FIRST_CAPACITY = 1024


class ItemTable:
    """Rows by ordinal. An ordinal is given once and never to another item. exists: [rows]. unread:
    [rows], whose payload is another one than its content was last read from (item_contents.py).
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.payloads: list[bytes] = []
        self._ordinal_of: dict[str, int] = {}
        self.exists: Flags = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.unread: Flags = np.ones(_FIRST_CAPACITY, np.bool_)

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
        self.unread[ordinal] = True
        return ordinal

    def delete(self, item_id: str) -> int:
        """Delete an item; return its ordinal. Its vectors have to be set to zero, too."""
        ordinal = self._ordinal_of[item_id]
        self.payloads[ordinal] = b""
        self.exists[ordinal] = False
        self.unread[ordinal] = True
        return ordinal

    def names(self, ordinals: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """Return the ids of ordinals."""
        return [self.ids[ordinal] for ordinal in np.asarray(ordinals, np.int64).tolist()]

    def _grow(self) -> None:
        more = np.zeros(self.capacity, np.bool_)
        self.exists = np.concatenate([self.exists, more])
        self.unread = np.concatenate([self.unread, ~more])
