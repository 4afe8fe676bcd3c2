"""One list of items from several, best first."""

from collections.abc import Sequence

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float64s, Ordinals


def merged(lists: Sequence[tuple[Ordinals, Float64s]], eligible: Bools, count: int) -> Ordinals:
    """See Drafts."""
    items = np.concatenate([NO_ORDINALS, *(found for found, _ in lists)])
    levels = np.concatenate([np.empty(0), *(found for _, found in lists)])
    mine = eligible[items]
    items, levels = items[mine], levels[mine]
    items = items[np.lexsort((items, -levels))]
    _, first = np.unique(items, return_index=True)
    chosen: Ordinals = items[np.sort(first)][:count]
    return chosen
