"""Random numbers that depend on a seed and a counter alone, so that a slate can be made again."""

from services.common.splitmix import BITS, GAMMA, finalised


def uniforms(seed: int, count: int) -> list[float]:
    """Return `count` numbers in 0..1 (below 1), multiples of 2^-52, of a seed in 0..2^64 - 1.

    splitmix64 (Steele, Lea and Flood 2014), begun where it takes the seed itself: the numbers of
    neighbouring seeds would be shifted ones of each other otherwise.
    """
    state = finalised((seed + GAMMA) & BITS)
    return [
        (finalised((state + place * GAMMA) & BITS) >> 12) * 2.0**-52
        for place in range(1, count + 1)
    ]
