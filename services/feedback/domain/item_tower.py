"""Item tower: where the vector of an item starts, from its content alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.common.content_features import hash_features
from services.common.onnx_model import open_session
from services.feedback.domain.changes import Floats

_BATCH = 256


class ItemTower:
    """Runs the item tower of a generation. Only the learner does; everyone else gets bytes."""

    def __init__(self, model: bytes, content_buckets: int) -> None:
        """Load a model (input [n, content_buckets], output [n, dimension]) from bytes."""
        self._session = open_session(model)
        self._input = self._session.get_inputs()[0].name
        self._buckets = content_buckets

    def vectors(self, features: Sequence[Mapping[str, float]]) -> Floats:
        """Return vectors [n, dimension] of items, given their content features by name."""
        parts = []
        for start in range(0, len(features), _BATCH):
            batch = [hash_features(one, self._buckets) for one in features[start : start + _BATCH]]
            parts.append(self._session.run(None, {self._input: np.stack(batch)})[0])
        return np.concatenate(parts).astype(np.float32)
