"""What was selected, and what rules did to it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float32s, Float64s, Ordinals

Bytes = npt.NDArray[np.uint8]


class Applied(NamedTuple):
    """What a rule did to a place, in words, such as "pinned" or "boosted x2"."""

    rule: str
    effect: str


class Lost(NamedTuple):
    """A rule that had to yield, or "diversity" or "exploration", and why, in words."""

    rule: str
    why: str


class Selection(NamedTuple):
    """A slate of k places, and all it takes to decide it again by someone else.

    places: int64 [k], which candidate stands there, each once.
    decided: int64 [k], at which place it was decided: another one where a sort moved it.
    propensities: float64 [k] in 0..1 (above 0), the probability of the item at its place given the
        items above it and those that are pinned; of a pinned item 1.
    applied: of each place, in the order of the plan.
    lost: each rule once.
    utilities: float32 [n], bounded, after boosts: what was decided by, as exactly.
    lowered: uint8 [k, n], in units of `unit`: what diversity took from them at each place, as
        exactly, so that a log needs one byte for it; None: nothing.
    barred: uint8 [k, ceil(n / 8)], one bit for each candidate that could not stand at a place, the
        first candidate the lowest bit of the first byte; bits after the last are 0.
    Rows of lowered and barred are of places as decided.
    """

    places: Ordinals
    decided: Ordinals
    propensities: Float64s
    applied: tuple[tuple[Applied, ...], ...]
    lost: tuple[Lost, ...]
    utilities: Float32s
    lowered: Bytes | None
    unit: float
    barred: Bytes
