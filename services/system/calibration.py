"""Whether probabilities mean what they say.

Expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599, eq. 3), with bins
of equal width on a logarithmic scale, because probabilities of single items are small:

    ECE = sum over bins of (n_b / n) |mean probability in b - share that came true in b|
"""

import numpy as np
import numpy.typing as npt

_BINS_PER_DECADE = 4
_DECADES = 6


class Calibration:
    """Adds up predictions and what became of them."""

    def __init__(self) -> None:
        bins = _BINS_PER_DECADE * _DECADES + 1
        self._count = np.zeros(bins)
        self._predicted = np.zeros(bins)
        self._actual = np.zeros(bins)

    def add(self, probabilities: npt.NDArray[np.floating], happened: npt.NDArray[np.bool_]) -> None:
        """Count predictions [n] in 0..1."""
        clipped = np.clip(probabilities.astype(np.float64), 10.0**-_DECADES, 1.0)
        bins = np.floor((np.log10(clipped) + _DECADES) * _BINS_PER_DECADE).astype(np.int64)
        np.add.at(self._count, bins, 1)
        np.add.at(self._predicted, bins, probabilities)
        np.add.at(self._actual, bins, happened)

    def error(self) -> float | None:
        """Return the expected calibration error, None when nothing was predicted."""
        total = self._count.sum()
        if total == 0:
            return None
        return float(np.abs(self._predicted - self._actual).sum() / total)
