"""Content of items, and how like a user's recent items others are by it.

With h_1 the user's latest item of positive weight, h_2 the latest other one, and so on, and c(i)
the content of an item as a row of norm 1 (content_codes.py):

    likeness(i) = sum over k = 1..20 of c(h_k) . c(i) / sqrt(rank_k)

rank_k as in sources/rules.py. It is one sparse product with the profile, the sum of c(h_k).
"""

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float32s, Float64s, Ordinals, grown
from services.common.content_codes import BUCKETS, WIDTH, ContentCode


class ContentTable:
    """Codes by ordinal: buckets uint16 [room, WIDTH], weights float32 [room, WIDTH]; what an item
    does not need of its room has bucket 0 and weight 0. For reading only, until the next change.
    """

    def __init__(self) -> None:
        self.buckets: npt.NDArray[np.uint16] = np.zeros((0, WIDTH), np.uint16)
        self.weights: Float32s = np.zeros((0, WIDTH), np.float32)

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`; new ones have no content."""
        self.buckets = grown(self.buckets, size, 0)
        self.weights = grown(self.weights, size, 0)

    def assign(self, ordinal: int, code: ContentCode) -> None:
        """Set the content of an item."""
        kept = len(code.buckets)
        for row, own in (
            (self.buckets[ordinal], code.buckets),
            (self.weights[ordinal], code.weights),
        ):
            row[:kept], row[kept:] = own, 0

    def likeness(self, latest: Ordinals, ranks: Float64s, ordinals: Ordinals) -> Float64s:
        """Return likeness [n] of items to the latest ones [k], which have ranks [k] from 1."""
        shares = self.weights[latest] * (1.0 / np.sqrt(ranks))[:, np.newaxis]
        buckets = self.buckets[latest].ravel()
        profile = np.bincount(buckets, shares.ravel(), minlength=BUCKETS)
        found = np.zeros(ordinals.size)
        if not profile.any():
            return found
        own, weights = self.buckets[ordinals], self.weights[ordinals]
        # One after the other, as the compiled core adds.
        for place in range(WIDTH):
            found += profile[own[:, place]] * weights[:, place]
        return found
