"""Item tower: where the vector of an item starts, from its content alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from services.common.content_features import hash_features
from services.common.onnx_model import INPUTS, OUTPUTS, TOWER, first_line, open_session
from services.feed.parameters import Floats

if TYPE_CHECKING:
    import onnxruntime

BATCH = 256
"""Items of one run of the model, at most."""
LARGEST = 1e9
"""Greatest value of a vector, before its norm is bounded: squares stay finite."""


class ItemTower:
    """Runs the item tower of a generation. Only the learner does; everyone else gets bytes.

    A model that fails stops nothing: the items that it fails on start at zero, and `fault` says
    why. It is for the owner to note, and for whoever follows to withdraw the generation.
    """

    def __init__(self, model: bytes, content_buckets: int, dimension: int) -> None:
        """Load a model (input [n, content_buckets], output [n, dimension]) from bytes."""
        self.fault = ""
        self._buckets = content_buckets
        self._dimension = dimension
        self._session: onnxruntime.InferenceSession | None = None
        try:
            self._session = open_session(model)
        except Exception as error:  # onnxruntime has a tree of its own without a common base
            self._fail(f"does not load: {first_line(error)}")

    def vectors(self, features: Sequence[Mapping[str, float]]) -> Floats:
        """Return finite vectors [n, dimension] of items, given their content features by name."""
        found = np.zeros((len(features), self._dimension), np.float32)
        if self._session is None:
            return found
        for start in range(0, len(features), BATCH):
            batch = np.stack(
                [hash_features(one, self._buckets) for one in features[start : start + BATCH]]
            )
            own = self._run(batch)
            if own is None:
                # One row may spoil a batch: the others get what is theirs.
                for row in range(len(batch)):
                    alone = self._run(batch[row : row + 1])
                    if alone is not None:
                        found[start + row] = alone[0]
            else:
                found[start : start + len(batch)] = own
        # NaN compares false with everything, so it is lost as infinity is.
        lost = ~(np.abs(found) <= LARGEST).all(axis=1)
        if lost.any():
            self._fail(f"gives values that are not finite, or above {LARGEST:g}")
            found[lost] = 0.0
        return found

    def _run(self, batch: Floats) -> Floats | None:
        assert self._session is not None
        try:
            (vectors,) = self._session.run([OUTPUTS[TOWER]], {INPUTS[TOWER]: batch})
        except Exception as error:  # onnxruntime has a tree of its own without a common base
            self._fail(f"raises: {first_line(error)}")
            return None
        if np.shape(vectors) != (len(batch), self._dimension):
            self._fail(f"maps {len(batch)} items to {list(np.shape(vectors))}")
            return None
        return np.asarray(vectors, np.float32)

    def _fail(self, reason: str) -> None:
        self.fault = self.fault or f"its item tower {reason}"
