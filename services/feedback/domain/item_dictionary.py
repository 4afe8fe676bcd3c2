"""The dictionary of item ids of one frame: columns of ordinals become columns of indices."""

import numpy as np

from services.feedback.domain.changes import Ints
from services.feedback.domain.item_table import ItemTable


class ItemDictionary:
    """Collects the ordinals that a frame refers to."""

    def __init__(self, items: ItemTable, columns: list[Ints]) -> None:
        """Make a dictionary of all ordinals in `columns`; they may hold -1, which has no id."""
        together = np.concatenate(columns) if columns else np.zeros(0, np.int64)
        self._ordinals = np.unique(together[together >= 0])
        self.item_ids = items.names(self._ordinals)
        self._extra: dict[str, int] = {}

    def indices(self, ordinals: Ints) -> Ints:
        """Return indices of ordinals that were collected."""
        return np.searchsorted(self._ordinals, ordinals).astype(np.int64)

    def index_of_unknown(self, item_id: str) -> int:
        """Return the index of an item that has no ordinal."""
        index = self._extra.get(item_id)
        if index is None:
            index = len(self.item_ids)
            self._extra[item_id] = index
            self.item_ids.append(item_id)
        return index
