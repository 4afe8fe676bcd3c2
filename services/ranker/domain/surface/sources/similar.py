"""Items whose vectors are like those of the latest items."""

from services.common.arrays import NO_ORDINALS, Bools, Ordinals
from services.common.runs import distinct
from services.ranker.domain.item_index import ItemIndex

_LATEST = 1


def similar(index: ItemIndex, latest: Ordinals, eligible: Bools, quota: int) -> Ordinals:
    """Return at most `quota` eligible items nearest to the latest item that has a vector.

    Items that nobody has touched lie where their content puts them, so this is how they are found
    from what is like them.
    """
    held = index.held()
    with_vector = [item for item in latest.tolist() if held[item]][:_LATEST]
    found = [index.nearest(item, eligible, quota) for item in with_vector]
    return distinct(found[0]) if found else NO_ORDINALS
