"""The scorer of a generation: candidate features in, one score per outcome out."""

from collections.abc import Sequence

import numpy as np

from services.common.onnx_model import INPUTS, OUTPUTS, SCORER, open_session
from services.ranker.domain.arrays import Float32s

ROWS = 256
"""Rows of one run of the model."""


class UnusableScorerError(ValueError):
    """The model is not a scorer that we can feed."""


class Scorer:
    """An ONNX model: features [n, columns] float32 -> scores [n, outcomes] float32."""

    def __init__(self, model: bytes, features: Sequence[str], outcomes: Sequence[str]) -> None:
        """Load the model from bytes and try it once. Takes milliseconds: keep it off the loop.

        Raises:
            UnusableScorerError: unreadable, with tensors in other files, or of other inputs and
                outputs than stated above.

        """
        self.features = tuple(features)
        self.outcomes = tuple(outcomes)
        try:
            self._session = open_session(model)
            scores = self.scores(np.zeros((2, len(self.features)), dtype=np.float32))
        except Exception as error:  # onnxruntime has a tree of its own without a common base.
            raise UnusableScorerError(f"the scorer cannot be used: {error}") from error
        if scores.shape != (2, len(self.outcomes)) or scores.dtype != np.float32:
            raise UnusableScorerError(
                f"the scorer answers {scores.dtype} {scores.shape} to 2 rows, "
                f"wanted float32 (2, {len(self.outcomes)})"
            )

    def scores(self, features: Float32s) -> Float32s:
        """Return the scores [n, outcomes] of features [n, columns].

        The model always runs on ROWS rows, the last ones padded: as many as it was tried on, so it
        takes as much time and memory as was seen then, however many candidates there are.
        """
        parts = [self._run(features[at : at + ROWS]) for at in range(0, len(features), ROWS)]
        return np.concatenate(parts) if parts else self._run(features)

    def _run(self, features: Float32s) -> Float32s:
        rows = len(features)
        if rows < ROWS:
            padded = np.zeros((ROWS, features.shape[1]), np.float32)
            padded[:rows] = features
            features = padded
        scores: Float32s = self._session.run([OUTPUTS[SCORER]], {INPUTS[SCORER]: features})[0]
        return scores[:rows]


def scores_or_nan(scorer: Scorer, features: Float32s) -> Float32s:
    """Return the scores [n, outcomes]; NaN when the model fails: a slate goes without them."""
    wanted = (len(features), len(scorer.outcomes))
    try:
        scores = scorer.scores(features)
    except Exception:  # onnxruntime has a tree of its own; the slate says that it is degraded
        return np.full(wanted, np.nan, np.float32)
    return scores if scores.shape == wanted else np.full(wanted, np.nan, np.float32)
