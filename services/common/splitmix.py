"""splitmix64 (Steele, Lea and Flood 2014), of plain numbers: random ones by seed and counter."""

GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
BITS = 2**64 - 1


def finalised(x: int) -> int:
    """Return what splitmix64 makes of its state, both 0..2^64 - 1."""
    x = ((x ^ (x >> 30)) * FIRST) & BITS
    x = ((x ^ (x >> 27)) * SECOND) & BITS
    return x ^ (x >> 31)
