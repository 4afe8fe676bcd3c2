"""Which items exist, asked for every event: answers are remembered while they are yes.

An item that was deleted by another process may count as known for a while; the learner ignores
events on items that are gone, so that does no harm.
"""

from collections import OrderedDict
from collections.abc import Iterable

from services.common.database import Connection, store_faults

_ItemKey = tuple[str, str]


class ItemDirectory:
    """Remembers up to `capacity` (tenant, item id) pairs that exist."""

    def __init__(self, capacity: int = 500_000) -> None:
        self._known: OrderedDict[_ItemKey, None] = OrderedDict()
        self._capacity = capacity

    def add(self, items: Iterable[_ItemKey]) -> None:
        """Remember that items exist."""
        for item in items:
            self._known[item] = None
            self._known.move_to_end(item)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)

    def discard(self, items: Iterable[_ItemKey]) -> None:
        """Forget items."""
        for item in items:
            self._known.pop(item, None)

    async def unknown(self, connection: Connection, items: set[_ItemKey]) -> set[_ItemKey]:
        """Return which of the items do not exist."""
        unsure = [item for item in items if item not in self._known]
        if not unsure:
            return set()
        with store_faults():
            rows = await connection.fetch(
                "SELECT i.tenant, i.item_id FROM items i"
                " JOIN unnest($1::text[], $2::text[]) AS asked (tenant, item_id)"
                " ON i.tenant = asked.tenant AND i.item_id = asked.item_id",
                [tenant for tenant, _ in unsure],
                [item_id for _, item_id in unsure],
            )
        found = {(row["tenant"], row["item_id"]) for row in rows}
        self.add(found)
        return set(unsure) - found
