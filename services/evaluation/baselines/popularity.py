"""Popularity: events per item before the split."""

import numpy as np
import numpy.typing as npt

from services.evaluation.baselines.registry import BaselineContext
from services.evaluation.baselines.train_part import TrainPart
from services.system.timeline import Codes, Ints


class Popularity:
    """The same order for everybody."""

    def __init__(self, train: TrainPart) -> None:
        self._counts: npt.NDArray[np.float64] = train.counts().astype(np.float64)

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        """Return events per item."""
        return self._counts


def fit(train: TrainPart, context: BaselineContext) -> Popularity:
    """Return the baseline."""
    return Popularity(train)
