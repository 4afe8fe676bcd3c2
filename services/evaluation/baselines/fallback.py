"""What a baseline says about items and users that it knows nothing of: popularity, below all else.

Without it a user's first event would be ranked at random by every baseline that needs a history,
which no one would put into production.
"""

import numpy as np
import numpy.typing as npt

from services.evaluation.baselines.train_part import TrainPart


class Fallback:
    """Orders items of score 0 by how popular they were in training."""

    def __init__(self, train: TrainPart) -> None:
        counts = train.counts().astype(np.float64)
        below: npt.NDArray[np.float64] = counts / (counts.max(initial=0.0) + 1.0) - 1.0
        self._below = below

    def fill(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return scores [items], those that are not above 0 replaced by popularity below 0."""
        filled: npt.NDArray[np.float64] = np.where(scores > 0, scores, self._below)
        return filled

    def alone(self) -> npt.NDArray[np.float64]:
        """Return the order of popularity alone."""
        return self._below
