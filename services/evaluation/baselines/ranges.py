"""Many ranges of places at once: rows of tables whose rows differ in length."""

import numpy as np

from services.system.timeline import Ints


def ranges(begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Return all places of the ranges, one after the other, and which range each is of."""
    lengths = (ends - begins).astype(np.int64)
    owner = np.repeat(np.arange(lengths.size), lengths)
    offset = begins - (np.cumsum(lengths) - lengths)
    return np.arange(int(lengths.sum())) + offset[owner], owner
