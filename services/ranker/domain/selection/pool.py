"""Items that a slate may hold."""

from typing import NamedTuple

import numpy as np

from services.common.arrays import Bools, Float32s, Float64s, Ordinals

LOWEST = -1e6
"""Utility of an item that has none (NaN): it comes after all that have one."""
HIGHEST = 1e3
"""Bound of utilities: beyond it, log odds say nothing more."""


class Vectors(NamedTuple):
    """The vectors of candidates [n]: which row of a table float32 [m, d] each one has.

    norms: float32 [m], the lengths of all rows.
    """

    table: Float32s
    norms: Float32s
    rows: Ordinals

    @classmethod
    def of(cls, table: Float32s) -> "Vectors":
        """Return vectors [n, d], one of each candidate."""
        norms = np.sqrt(np.einsum("nd,nd->n", table, table))
        return cls(table, norms, np.arange(table.shape[0]))


class Pool(NamedTuple):
    """Candidates [n] that gates, exclusions and filters left.

    utilities: float64 [n], log odds of what the order follows; NaN comes last.
    vectors: of any length; diversity compares them by their cosine. A vector of zeros is like none.
    new: bool [n], which ones the share of new items is for; None: no item.
    deviations: float64 [m, n], by how much utilities were drawn above, m times, by how sure they
        are; for Thompson sampling. Finite.
    """

    utilities: Float64s
    vectors: Vectors | None = None
    new: Bools | None = None
    deviations: Float64s | None = None

    @property
    def size(self) -> int:
        """Return the number of candidates."""
        return self.utilities.size


def bounded(utilities: Float64s) -> Float64s:
    """Return a copy of utilities of any shape without NaN, within -HIGHEST..HIGHEST or LOWEST."""
    bounded = np.minimum(utilities, HIGHEST)
    np.maximum(bounded, -HIGHEST, out=bounded)
    bounded[np.isnan(bounded)] = LOWEST
    return bounded
