"""Ranks by recency that do not tell apart what happened in the same second."""

import numpy as np
import numpy.typing as npt


def tied_ranks(times_s: npt.NDArray[np.integer | np.floating]) -> npt.NDArray[np.float32]:
    """Ranks 1.. of histories, latest first; entries of one time share their mean rank.

    times_s: [n, l] event times, latest first. The order inside one second is arbitrary, so no
    entry of it is "later". Returns [n, l] float32 in 1..l. Padding is ranked too: mask it after.
    """
    n, length = times_s.shape
    if n == 0 or length == 0:
        return np.zeros((n, length), np.float32)
    fresh = np.ones((n, length), np.bool_)
    fresh[:, 1:] = times_s[:, 1:] != times_s[:, :-1]
    group = np.cumsum(fresh.ravel()) - 1
    position = np.tile(np.arange(1, length + 1, dtype=np.float64), n)
    mean = np.bincount(group, position) / np.bincount(group)
    ranks: npt.NDArray[np.float32] = mean[group].reshape(n, length).astype(np.float32)
    return ranks
