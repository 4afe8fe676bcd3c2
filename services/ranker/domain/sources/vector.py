"""Items whose vectors have the largest dot product, bias included, with the user's vector."""

import numpy as np

from services.ranker.domain.arrays import NO_ORDINALS, Bools, Float32s, Float64s, Ordinals
from services.ranker.domain.item_index import ItemIndex
from services.ranker.domain.sources.source import NOTHING


class VectorSource:
    """Proposes what fits the user's taste; nothing for a user without vector (None)."""

    name = "vector"

    def __init__(self, index: ItemIndex, vector: Float32s | None) -> None:
        self._index = index
        self._vector = vector

    def propose(self, eligible: Bools, count: int) -> Ordinals:
        """Return the best `count` of the eligible items by score."""
        if self._vector is None:
            return NO_ORDINALS
        return self._index.search(self._vector, eligible, count)[0]

    def scores_of(self, ordinals: Ordinals) -> Float64s:
        """Return vector . user + bias of given items."""
        if self._vector is None:
            return np.full(ordinals.size, NOTHING)
        held = self._index.held()[ordinals]
        return np.where(held, self._index.dots(self._vector, ordinals), NOTHING)
