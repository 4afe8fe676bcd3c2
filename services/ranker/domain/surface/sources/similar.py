"""Items whose vectors are like that of the latest item."""

from services.common.arrays import NO_ORDINALS, Bools, Ordinals
from services.ranker.domain.item_index import ItemIndex
from services.ranker.domain.surface.sources.kept import Finds

_NEAREST = 200


def resembled_item(index: ItemIndex, listed: Bools, latest: Ordinals) -> int | None:
    """Return the latest item that is in the catalogue and has a vector, None: there is none."""
    held = index.held()
    return next((item for item in latest.tolist() if held[item] and listed[item]), None)


def similar(
    index: ItemIndex, finds: Finds, item: int | None, eligible: Bools, quota: int, now: float
) -> Ordinals:
    """Return at most `quota` eligible items nearest to a resembled item; to none, none.

    Of its nearest 200 of at most ten seconds ago. Items that nobody has touched lie where their
    content puts them, so this is how they are found from what is like them.
    """
    if item is None:
        return NO_ORDINALS

    def nearest() -> Ordinals:
        others = index.held().copy()
        others[item] = False
        return index.nearest(item, others, _NEAREST)

    found = finds.nearest.of((id(index), item), now, nearest)
    chosen: Ordinals = found[eligible.take(found)][:quota]
    return chosen
