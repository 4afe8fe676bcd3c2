"""splitmix64 (Steele, Lea and Flood 2014): random numbers by seed and counter."""

import numpy as np
import numpy.typing as npt

GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
BITS = 2**64 - 1
_ARRAY_GAMMA, _ARRAY_FIRST, _ARRAY_SECOND = np.uint64(GAMMA), np.uint64(FIRST), np.uint64(SECOND)


def finalised(x: int) -> int:
    """Return what splitmix64 makes of its state, both 0..2^64 - 1, without arrays."""
    x = ((x ^ (x >> 30)) * FIRST) & BITS
    x = ((x ^ (x >> 27)) * SECOND) & BITS
    return x ^ (x >> 31)


def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return what a step makes of states, and `finalised` of that; wraps modulo 2^64."""
    x = x + _ARRAY_GAMMA
    x ^= x >> 30
    x *= _ARRAY_FIRST
    x ^= x >> 27
    x *= _ARRAY_SECOND
    x ^= x >> 31
    return x
