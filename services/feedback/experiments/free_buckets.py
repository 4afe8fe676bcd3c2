"""Which buckets of a layer are free."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.common.experiments.assignment import BUCKETS


class Buckets(NamedTuple):
    """first .. first + size - 1, within 0 .. BUCKETS - 1; size >= 1."""

    first: int
    size: int

    def overlaps(self, other: "Buckets") -> bool:
        """Return whether a bucket is in both."""
        return self.first < other.first + other.size and other.first < self.first + self.size


def gaps(taken: Iterable[Buckets]) -> Iterator[Buckets]:
    """Yield what is free between ranges that do not overlap, in order, never two in a row."""
    start = 0
    for first, size in (*sorted(taken), Buckets(BUCKETS, 0)):
        if first > start:
            yield Buckets(start, first - start)
        start = first + size


def first_free(taken: Iterable[Buckets], size: int) -> int | None:
    """Return the first bucket of the first gap that has `size` of them; None: there is none."""
    return next((gap.first for gap in gaps(taken) if gap.size >= size), None)
