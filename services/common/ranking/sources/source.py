"""What a source of candidates is."""

from typing import Protocol

from services.common.arrays import Bools, Float64s, Ordinals

NOTHING = float("-inf")
"""Score of an item about which a source has nothing to say."""


class Source(Protocol):
    """One way to find items for one user, made for one request."""

    name: str

    def propose(self, eligible: Bools, count: int) -> Ordinals:
        """Return the best `count` of the eligible items (a mask [size]), or fewer.

        Best first, equal scores by ordinal.
        """

    def scores_of(self, ordinals: Ordinals) -> Float64s:
        """Return the scores [n] of given items in the source's own unit, NOTHING where none."""
