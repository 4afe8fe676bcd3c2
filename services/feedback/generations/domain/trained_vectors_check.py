"""Whether trained item vectors are what a manifest promises."""

from collections.abc import Sequence

import numpy as np

from services.common.norm_slack import NORM_SLACK


def vectors_fault(
    item_ids: Sequence[str], vectors: bytes, biases: bytes, dimension: int, max_norm: float
) -> str | None:
    """Return what is wrong with float32 vectors [n, dimension] and biases [n] or none, or None."""
    count = len(item_ids)
    if len(set(item_ids)) < count:
        return "names an item twice"
    if any(not 0 < len(item_id.encode()) <= 128 for item_id in item_ids):
        return "has an item id that is not 1 to 128 bytes"
    if len(vectors) != 4 * count * dimension:
        return f"has {len(vectors)} bytes of vectors, which are not {count} of {dimension} values"
    if biases and len(biases) != 4 * count:
        return f"has {len(biases)} bytes of biases, which are not {count} values"
    table = np.frombuffer(vectors, "<f4").reshape(count, dimension)
    own = np.frombuffer(biases, "<f4")
    if not (np.isfinite(table).all() and np.isfinite(own).all()):
        return "has values that are not finite"
    norms = np.sqrt(np.einsum("nd,nd->n", table, table, dtype=np.float64))
    largest = max(float(norms.max(initial=0.0)), float(np.abs(own).max(initial=0.0)))
    if largest > max_norm * (1 + NORM_SLACK):
        return f"has a norm or bias of {largest:.4g}, above {max_norm:.4g}"
    return None
