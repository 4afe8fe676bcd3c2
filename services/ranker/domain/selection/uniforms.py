"""Random numbers that depend on a seed and a counter alone, so that a slate can be made again."""

_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BITS = 2**64 - 1


def uniforms(seed: int, count: int) -> list[float]:
    """Return `count` numbers in 0..1 (below 1), multiples of 2^-52, of a seed in 0..2^64 - 1.

    splitmix64 (Steele, Lea and Flood 2014), begun where it takes the seed itself: the numbers of
    neighbouring seeds would be shifted ones of each other otherwise.
    """
    state = _mixed((seed + _GAMMA) & _BITS)
    return [
        (_mixed((state + place * _GAMMA) & _BITS) >> 12) * 2.0**-52 for place in range(1, count + 1)
    ]


def _mixed(x: int) -> int:
    x = ((x ^ (x >> 30)) * _FIRST) & _BITS
    x = ((x ^ (x >> 27)) * _SECOND) & _BITS
    return x ^ (x >> 31)
