"""Neighbours of items: those that share rare features.

An edge between two items weighs ``sum_f 1 / log2(2 + items with f)`` over the features that both
have, features of very many items left out. Rows keep their strongest edges and are normalised to
sum 1. Neighbours serve the item tower as a smoothed target: an item with few events
is drawn towards its neighbours.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.trainer.timeline import Floats, Ints


@dataclass(frozen=True, slots=True)
class ItemGraph:
    """Edges of N items: offsets int64 [N + 1], neighbours int64 [e], weights float32 [e]."""

    offsets: Ints
    neighbours: Ints
    weights: Floats

    def averages(self, vectors: Floats) -> Floats:
        """Return the weighted mean of neighbours' vectors [N, d] that are not zero, else zero."""
        owner = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        present = np.asarray(vectors.any(axis=1))
        weights = self.weights * present[self.neighbours]
        mass = np.bincount(owner, weights, minlength=len(vectors))
        mean = np.zeros(vectors.shape, np.float32)
        np.add.at(mean, owner, weights[:, None] * vectors[self.neighbours])
        averaged: Floats = (mean / np.maximum(mass, 1e-12)[:, None]).astype(np.float32)
        return averaged


def graph_of_features(
    features: Sequence[Mapping[str, float]], common: int = 200, strongest: int = 20
) -> ItemGraph:
    """Return the graph of items [N] that share features held by 2 to `common` items."""
    holders: dict[str, list[int]] = defaultdict(list)
    for row, names in enumerate(features):
        for name in names:
            holders[name].append(row)
    edges: list[dict[int, float]] = [defaultdict(float) for _ in features]
    for items in holders.values():
        if not 2 <= len(items) <= common:
            continue
        weight = 1.0 / float(np.log2(2 + len(items)))
        for one in items:
            for other in items:
                if one != other:
                    edges[one][other] += weight
    return _strongest(edges, strongest)


def _strongest(edges: Sequence[Mapping[int, float]], count: int) -> ItemGraph:
    offsets, neighbours, weights = [0], [], []
    for row in edges:
        best = sorted(row.items(), key=lambda edge: (-edge[1], edge[0]))[:count]
        total = sum(weight for _, weight in best)
        neighbours += [other for other, _ in best]
        weights += [weight / total for _, weight in best]
        offsets.append(len(neighbours))
    return ItemGraph(
        np.array(offsets, np.int64),
        np.array(neighbours, np.int64),
        np.array(weights, np.float32).astype(np.float32),
    )
