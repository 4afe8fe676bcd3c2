"""Hashed content of many items, kept sparse, with the feature of the item's own id apart.

The bucket of `item=<id>` tells trained items apart, and says nothing of an item that is new. So a
tower must not learn from it: `dense` puts the id of nobody in its place.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.common.content_features import Content, content_features, hash_features
from services.trainer.timeline import Floats, Ints


class ContentMatrix:
    """Content features of items in buckets; items without content have the id alone."""

    def __init__(self, item_ids: Sequence[str], contents: Sequence[Content | None], buckets: int):
        """Hash the content of items [N]."""
        self.buckets = buckets
        self._id_weights = np.zeros(len(item_ids), np.float32)
        places: dict[str, tuple[int, float]] = {}
        columns: list[int] = []
        values: list[float] = []
        offsets = [0]
        self.features: list[dict[str, float]] = []
        for row, (item_id, content) in enumerate(zip(item_ids, contents, strict=True)):
            features = content_features(content or Content(item_id))
            self._id_weights[row] = features.pop(f"item={item_id}")
            self.features.append(features)
            for name, weight in features.items():
                place = places.get(name)
                if place is None:
                    place = places[name] = self._place(name)
                columns.append(place[0])
                values.append(place[1] * weight)
            offsets.append(len(columns))
        self._columns = np.array(columns, np.int64)
        self._values = np.array(values, np.float32)
        self._offsets = np.array(offsets, np.int64)

    def __len__(self) -> int:
        return len(self._id_weights)

    def described(self) -> npt.NDArray[np.bool_]:
        """Return which items [N] have content beside their ids."""
        described: npt.NDArray[np.bool_] = np.diff(self._offsets) > 0
        return described

    def dense(self, rows: Ints, generator: np.random.Generator | None = None) -> Floats:
        """Return float32 [n, buckets] of norm 1, with a random id each, or without any."""
        counts = np.diff(self._offsets)[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        first = np.repeat(
            self._offsets[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts
        )
        entries = np.arange(len(owner)) + first
        flat = np.bincount(
            owner * self.buckets + self._columns[entries],
            weights=self._values[entries],
            minlength=len(rows) * self.buckets,
        )
        dense = flat.reshape(len(rows), self.buckets)
        if generator is not None:
            place = generator.integers(0, self.buckets, len(rows))
            sign = 2.0 * generator.integers(0, 2, len(rows)) - 1.0
            own = dense[np.arange(len(rows)), place] + sign * self._id_weights[rows]
            dense[np.arange(len(rows)), place] = own
        norm = np.linalg.norm(dense, axis=1, keepdims=True)
        unit: Floats = (dense / np.maximum(norm, 1e-12)).astype(np.float32)
        return unit

    def _place(self, name: str) -> tuple[int, float]:
        """Return bucket and sign of a feature, as the shared module hashes it."""
        one = hash_features({name: 1.0}, self.buckets)
        bucket = int(np.flatnonzero(one)[0])
        return bucket, float(one[bucket])
