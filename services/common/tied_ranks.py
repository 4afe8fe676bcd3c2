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
    np.not_equal(times_s[:, 1:], times_s[:, :-1], out=fresh[:, 1:])
    first = fresh.ravel().nonzero()[0]
    shared = np.empty_like(first)
    np.subtract(first[1:], first[:-1], out=shared[:-1])
    shared[-1] = n * length - first[-1]
    # The mean of first..first + shared - 1, counted from 1 in each history.
    mean = (first % length + (shared + 1) / 2).astype(np.float32)
    ranks: npt.NDArray[np.float32] = mean.repeat(shared).reshape(n, length)
    return ranks
