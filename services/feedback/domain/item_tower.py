"""Item tower: where the vector of an item starts, from its content alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.common.content_features import hash_features
from services.feedback.domain.changes import Floats
from services.feedback.domain.model_check import open_session

_BATCH = 256


class ItemTower:
    """Runs the item tower of a generation. Only the learner does; everyone else gets bytes."""

    def __init__(self, model: bytes) -> None:
        """Load a model (input [n, buckets], output [n, dimension]) from bytes."""
        self._session = open_session(model)
        self._input = self._session.get_inputs()[0].name
        self._buckets = int(self._session.get_inputs()[0].shape[1])

    def vectors(self, features: Sequence[Mapping[str, float]]) -> Floats:
        """Return vectors [n, dimension] of items, given their content features by name."""
        parts = []
        for start in range(0, len(features), _BATCH):
            batch = [hash_features(one, self._buckets) for one in features[start : start + _BATCH]]
            parts.append(self._session.run(None, {self._input: np.stack(batch)})[0])
        return np.concatenate(parts).astype(np.float32)
