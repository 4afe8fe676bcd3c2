"""Bounding the norm of vectors."""

import numpy as np
import numpy.typing as npt


def within_norm(vectors: npt.NDArray[np.float32], max_norm: float) -> npt.NDArray[np.float32]:
    """Return vectors [n, d], those longer than `max_norm` shortened to it."""
    # As linalg.norm does, in fewer calls.
    norms = np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))
    shrink = np.minimum(np.float32(1), np.float32(max_norm) / np.maximum(norms, np.float32(1e-12)))
    bounded: npt.NDArray[np.float32] = (vectors * shrink).astype(np.float32, copy=False)
    return bounded
