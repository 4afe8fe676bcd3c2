"""Bounding the norm of vectors."""

import numpy as np

from services.feedback.domain.changes import Floats


def within_norm(vectors: Floats, max_norm: float) -> Floats:
    """Return vectors [n, d], those longer than `max_norm` shortened to it."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    shrink = np.minimum(np.float32(1), np.float32(max_norm) / np.maximum(norms, np.float32(1e-12)))
    bounded: Floats = (vectors * shrink).astype(np.float32)
    return bounded
