"""Items whose vectors have the largest dot product, bias included, with the user's vector."""

from typing import Protocol

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float32s, Float64s, Ordinals
from services.common.ranking.sources.source import NOTHING


class VectorIndex(Protocol):
    """Where the vectors of items are: ordinals below a size, with or without a vector."""

    def search(self, user: Float32s, eligible: Bools, count: int) -> tuple[Ordinals, Float64s]:
        """Return the best `count` eligible ordinals by vector . user + bias, and their scores."""

    def dots(self, user: Float32s, ordinals: Ordinals) -> Float64s:
        """Return the scores [n] of given ordinals."""

    def held(self) -> Bools:
        """Return which ordinals have a vector, a mask."""


class VectorSource:
    """Proposes what fits the user's taste; nothing for a user without vector (None)."""

    name = "vector"

    def __init__(self, index: VectorIndex, vector: Float32s | None) -> None:
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
