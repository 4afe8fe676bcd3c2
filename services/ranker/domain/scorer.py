"""The scorer of a generation: candidate features in, one score per outcome out."""

from collections.abc import Sequence

import numpy as np

from services.common.onnx_model import INPUTS, OUTPUTS, SCORER, open_session
from services.ranker.domain.arrays import Float32s


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
        """Return the scores [n, outcomes] of features [n, columns]."""
        scores: Float32s = self._session.run([OUTPUTS[SCORER]], {INPUTS[SCORER]: features})[0]
        return scores


def scores_or_nan(scorer: Scorer, features: Float32s) -> Float32s:
    """Return the scores [n, outcomes]; NaN when the model fails: a slate goes without them."""
    wanted = (len(features), len(scorer.outcomes))
    try:
        scores = scorer.scores(features)
    except Exception:  # onnxruntime has a tree of its own; the slate says that it is degraded
        return np.full(wanted, np.nan, np.float32)
    return scores if scores.shape == wanted else np.full(wanted, np.nan, np.float32)
