"""A history as items with weights, for baselines that take a set of items."""

import numpy as np
import numpy.typing as npt

from services.system.timeline import Codes

_LEAST = 1e-3


def latest_first(items: Codes, length: int) -> Codes:
    """Return the last `length` distinct items of a history (oldest first), latest first."""
    # Enough of the end to find them in all but odd cases; else the whole.
    tail = items[-4 * length :]
    distinct = _distinct(tail)
    if distinct.size < length and tail.size < items.size:
        distinct = _distinct(items)
    return distinct[:length]


def weighted(items: Codes, gamma: float, length: int) -> tuple[Codes, npt.NDArray[np.float32]]:
    """Return distinct items, latest first, and their weights gamma^rank, rank from 0."""
    found = latest_first(items, length)
    weights = np.power(np.float32(gamma), np.arange(found.size, dtype=np.float32))
    kept = weights >= _LEAST
    return found[kept], weights[kept]


def _distinct(items: Codes) -> Codes:
    backwards = items[::-1]
    _, first = np.unique(backwards, return_index=True)
    distinct: Codes = backwards[np.sort(first)]
    return distinct
