"""Bringing base vectors to the length that online learning expects.

Online steps have a fixed size (services/feedback/learner/model/item_step.py: an event moves an
item by at most `eta`), so the length of base vectors decides how much one event counts.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_ROWS = 1 << 14


def scaled(vectors: Floats, median_norm: float, max_norm: float) -> tuple[Floats, float]:
    """Return vectors of this median norm, none above `max_norm`, and the factor.

    The median is over rows that are not zero. One factor for all keeps the order of every dot
    product; only vectors above `max_norm` change direction-free length beyond it.
    """
    norms = _norms(vectors)
    present = norms > 0
    if not present.any():
        return vectors.copy(), 1.0
    factor = median_norm / float(np.median(norms[present]))
    return bounded(vectors, max_norm, factor), factor


def bounded(vectors: Floats, max_norm: float, factor: float = 1.0) -> Floats:
    """Return vectors [n, d] times a factor, those longer than `max_norm` shortened to it."""
    bound: Floats = np.empty(vectors.shape, np.float32)
    for part in _parts(len(vectors)):
        rows = np.asarray(vectors[part], np.float64) * factor
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        bound[part] = rows * np.minimum(1.0, max_norm / np.maximum(norms, 1e-300))
    return bound


def _norms(vectors: Floats) -> npt.NDArray[np.float64]:
    """Return norms [n] in float64: squares of float32 overflow, and no length must, whatever was
    fitted.
    """
    norms = np.empty(len(vectors))
    for part in _parts(len(vectors)):
        norms[part] = np.linalg.norm(np.asarray(vectors[part], np.float64), axis=1)
    return norms


def _parts(rows: int) -> Iterator[slice]:
    """Yield rows a part at a time, so that float64 of them all is never in memory."""
    return (slice(begin, begin + _ROWS) for begin in range(0, rows, _ROWS))
