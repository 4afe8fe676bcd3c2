"""Bringing base vectors to the length that online learning expects.

Online steps have a fixed size (services/feedback/learner/model/item_step.py: an event moves an
item by at most `eta`), so the length of base vectors decides how much one event counts.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def scaled(vectors: Floats, median_norm: float, max_norm: float) -> tuple[Floats, float]:
    """Return vectors of this median norm, none above `max_norm`, and the factor.

    The median is over rows that are not zero. One factor for all keeps the order of every dot
    product; only vectors above `max_norm` change direction-free length beyond it.
    """
    # In float64: squares of float32 overflow, and no length must, whatever was fitted.
    norms = np.linalg.norm(np.asarray(vectors, np.float64), axis=1)
    present = norms > 0
    if not present.any():
        return vectors.copy(), 1.0
    factor = median_norm / float(np.median(norms[present]))
    return bounded(vectors, max_norm, factor), factor


def bounded(vectors: Floats, max_norm: float, factor: float = 1.0) -> Floats:
    """Return vectors [n, d] times a factor, those longer than `max_norm` shortened to it."""
    result = np.asarray(vectors, np.float64) * factor
    norms = np.linalg.norm(result, axis=1, keepdims=True)
    result *= np.minimum(1.0, max_norm / np.maximum(norms, 1e-300))
    bound: Floats = result.astype(np.float32)
    return bound
