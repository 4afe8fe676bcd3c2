"""What finds the items that score highest: the compiled core, or a part of it in NumPy.

What a score is stands in services/common/ranking/plain_scan.py.
"""

from collections.abc import Callable
from typing import Protocol

from services.common.arrays import Bools, Float32s, Float64s, Ordinals
from services.common.ranking.plain_scan import ExactScans


class Scans(ExactScans, Protocol):
    """The compiled core: it can look at codes of vectors, too."""

    @property
    def VectorLists(self) -> "Callable[[int, int], Lists]":  # noqa: N802
        """Lists of vectors, made of their dimension and how many lists there are."""


class Lists(Protocol):
    """8-bit codes of vectors in lists, each in one; it may move to another."""

    def __len__(self) -> int:
        """Return how many vectors are in the lists."""

    def put(self, ordinals: Ordinals, lists: Ordinals, vectors: Float32s, biases: Float32s) -> int:
        """Set vectors [n, d], their biases [n] and lists [n]; return how many moved to another.

        The last of equal ordinals counts.
        """

    def search(
        self,
        query: Float32s,
        table: Float32s,
        biases: Float32s,
        eligible: Bools,
        count: int,
        probes: Float32s,
        enough: int,
        norms: Float32s | None = None,
        by_signs: bool = False,
    ) -> tuple[Ordinals, Float64s]:
        """Return ordinals and exact scores of the best `count` eligible items, best first.

        Lists are looked into by `probes` [lists], largest first, until `enough` eligible items
        were seen. Of all that is in these lists the answer is exact; `by_signs`: nearly, for one
        bit a dimension says which codes are looked at, where there are 64 to 2048 dimensions.
        """
