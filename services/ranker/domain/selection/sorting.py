"""Places in the order of a number."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.common.arrays import Bools, Float32s, Float64s, Ordinals
from services.ranker.domain.selection.plan import Sort


def sorted_places(
    places: Ordinals, pinned: Iterable[int], utilities: Float32s, sorts: Sequence[Sort]
) -> Ordinals:
    """Return the items of `places` [k] in order; those at the places `pinned` stay.

    The first sort orders, then the next; equal items are in the order of their utilities [n].
    """
    if not sorts:
        return places
    free = np.ones(places.size, dtype=np.bool_)
    free[list(pinned)] = False
    items = places[free]
    keys: list[Float32s | Float64s | Bools] = [-utilities[items]]
    for sort in reversed(sorts):
        values = sort.values[items]
        absent = ~sort.present[items] | np.isnan(values)
        keys += [np.where(absent, 0.0, values if sort.ascending else -values), absent]
    ordered = places.copy()
    ordered[free] = items[np.lexsort(keys)]
    return ordered
