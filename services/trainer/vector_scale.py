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
    norms = np.linalg.norm(vectors, axis=1)
    present = norms > 0
    if not present.any():
        return vectors.copy(), 1.0
    factor = median_norm / float(np.median(norms[present]))
    bound = max_norm / np.maximum(norms * factor, 1e-12)
    result = vectors * (factor * np.minimum(1.0, bound))[:, None]
    return result.astype(np.float32), factor
