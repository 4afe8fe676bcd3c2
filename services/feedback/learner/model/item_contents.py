"""Content of items as candidates are compared by it, read when it is first asked for.

Rankers read it when an item comes; the learner looks at few items, and restores all at once.
"""

from services.common.arrays import Ordinals
from services.common.content_codes import content_code
from services.common.ranking.content_table import ContentTable
from services.feedback.learner.model.entries import FeaturesOf
from services.feedback.learner.model.item_table import ItemTable, ReadPayloads


class ItemContents:
    """Content of a tenant's items, by ordinal."""

    def __init__(self, items: ItemTable, features_of: FeaturesOf | None) -> None:
        """`features_of`: of an item, given its payload; None: no item has content."""
        self._items = items
        self._features_of = features_of
        self._table = ContentTable()
        self._read = ReadPayloads(items)

    def of(self, ordinals: Ordinals) -> ContentTable:
        """Return the table, up to date for these items; those of others may be old."""
        items, table = self._items, self._table
        table.grow(items.capacity)
        if self._features_of is not None:
            for ordinal in self._read.news(ordinals).tolist():
                table.assign(ordinal, content_code(self._features_of(items.payloads[ordinal])))
        return table
