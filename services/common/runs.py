"""Runs of equal values in sorted arrays.

Steps are small when little happens: what counts then is the number of calls, and numpy's own
`unique` and `diff` make ten for what takes three.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Integer = TypeVar("Integer", bound=np.integer)


def run_starts(ordered: npt.NDArray[np.integer]) -> Ints:
    """Return where the runs [m] of a sorted array [n] begin."""
    starts = np.empty(ordered.size, np.bool_)
    starts[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    return starts.nonzero()[0]


def run_lengths(starts: Ints, size: int) -> Ints:
    """Return how long the runs [m] are that begin at `starts` and fill `size` places."""
    lengths = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1:] = size - starts[-1:]
    return lengths


def distinct(values: npt.NDArray[Integer]) -> npt.NDArray[Integer]:
    """Return the different values [m] of an array [n], ascending."""
    ordered = values.copy()
    ordered.sort()
    return ordered[run_starts(ordered)]


def firsts(values: npt.NDArray[Integer]) -> tuple[npt.NDArray[Integer], Ints, Ints]:
    """Return the different values [m], ascending, where each is first, and how often it comes."""
    order = values.argsort(kind="stable")
    ordered = values[order]
    starts = run_starts(ordered)
    return ordered[starts], order[starts], run_lengths(starts, values.size)


def grouped(values: npt.NDArray[Integer]) -> tuple[npt.NDArray[Integer], Ints]:
    """Return the different values [m], ascending, and which of them each of the values [n] is."""
    order = values.argsort(kind="stable")
    ordered = values[order]
    starts = run_starts(ordered)
    group = np.empty(values.size, np.int64)
    group[order] = np.arange(starts.size).repeat(run_lengths(starts, values.size))
    return ordered[starts], group
