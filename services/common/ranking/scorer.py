"""The scorer of a generation: candidate features in, one score per outcome out."""

from collections.abc import Sequence

import numpy as np

from services.common.arrays import Float32s
from services.common.onnx_model import (
    INPUTS,
    OUTPUTS,
    SCORER,
    Affine,
    affine_of,
    in_place,
    open_session,
)

ROWS = 256
"""Rows of one run of the model."""


class UnusableScorerError(ValueError):
    """The model is not a scorer that we can feed."""


class Scorer:
    """An ONNX model: features [n, columns] float32 -> scores [n, outcomes] float32.

    It has one room for its features, and one for its scores: for one thread at a time.
    """

    affine: Affine | None = None
    """What it computes, where that is known: then nobody need run the model."""

    def __init__(self, model: bytes, features: Sequence[str], outcomes: Sequence[str]) -> None:
        """Load the model from bytes and try it once. Takes milliseconds: keep it off the loop.

        Raises:
            UnusableScorerError: unreadable, with tensors in other files, or of other inputs and
                outputs than stated above.

        """
        self.features = tuple(features)
        self.outcomes = tuple(outcomes)
        self._room = np.zeros((ROWS, len(self.features)), np.float32)
        self._scored = np.zeros((ROWS, len(self.outcomes)), np.float32)
        try:
            self._session = open_session(model)
            [answer] = self._session.run([OUTPUTS[SCORER]], {INPUTS[SCORER]: self._room})
            answered = np.asarray(answer)
        except Exception as error:  # onnxruntime has a tree of its own without a common base.
            raise UnusableScorerError(f"the scorer cannot be used: {error}") from error
        if answered.shape != self._scored.shape or answered.dtype != np.float32:
            raise UnusableScorerError(
                f"the scorer answers {answered.dtype} {answered.shape} to {ROWS} rows, "
                f"wanted float32 ({ROWS}, {len(self.outcomes)})"
            )
        # It reads from and writes to memory that is there and warm.
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input(INPUTS[SCORER], in_place(self._room))
        self._binding.bind_ortvalue_output(OUTPUTS[SCORER], in_place(self._scored))
        self.affine = affine_of(model, SCORER)

    def scores(self, features: Float32s) -> Float32s:
        """Return the scores [n, outcomes] of features [n, columns].

        The model always runs on ROWS rows, the last ones padded: as many as it was tried on, so it
        takes as much time and memory as was seen then, however many candidates there are.
        """
        scores = np.empty((len(features), len(self.outcomes)), np.float32)
        for at in range(0, len(features), ROWS):
            part = features[at : at + ROWS]
            rows = len(part)
            self._room[:rows] = part
            self._room[rows:] = 0.0
            self._session.run_with_iobinding(self._binding)
            scores[at : at + rows] = self._scored[:rows]
        return scores


def scores_or_nan(scorer: Scorer, features: Float32s) -> Float32s:
    """Return the scores [n, outcomes]; NaN when the model fails: a slate goes without them."""
    wanted = (len(features), len(scorer.outcomes))
    try:
        scores = scorer.scores(features)
    except Exception:  # onnxruntime has a tree of its own; the slate says that it is degraded
        return np.full(wanted, np.nan, np.float32)
    return scores if scores.shape == wanted else np.full(wanted, np.nan, np.float32)
