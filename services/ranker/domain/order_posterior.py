"""How sure the order is that was learned from choices, and what it could have been instead.

Of the weights w of the order and of the scale T of logits against odds, the learner knows a normal
distribution of (T w, T) with a precision A (services/feedback/learner/model/choices/learning.py).
With C what A^-1 says of T w alone, utilities of candidates x are off by

    d = x . e        e ~ N(0, C / T^2)

which is drawn a few times: the draws of Thompson sampling (Chapelle & Li 2011).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from services.common.arrays import Float32s, Float64s
from services.common.splitmix import BITS, GAMMA, finalised, mix
from services.feed.parameters import PosteriorParameters

DRAWS = 32
_LARGEST = 1e4
"""Of a draw: what float16 holds, and beyond all that log odds say."""
_ROUNDED = 1e-3
"""Added to the diagonal, of itself, as the learner does: sums in float32 are off by less."""
_STREAM = 1 << 32
"""Where numbers begin, of a seed whose first ones decide places."""


@dataclass(frozen=True, slots=True, eq=False)
class OrderPosterior:
    """spread: float64 [columns, columns], lower triangular, times its transpose is C / T^2."""

    generation_id: str
    spread: Float64s

    @classmethod
    def of(cls, told: PosteriorParameters) -> Self | None:
        """Return it of what the learner tells; None: that is no precision, and says nothing."""
        try:
            precisions = told.precisions.astype(np.float64)
            precisions[np.diag_indices_from(precisions)] *= 1.0 + _ROUNDED
            covariance = np.linalg.inv(precisions)[:-1, :-1]
            root = np.linalg.cholesky((covariance + covariance.T) / 2.0)
        except np.linalg.LinAlgError:
            return None
        return cls(told.generation_id, (root / told.temperature).astype(np.float64))

    def draws(self, features: Float32s, scale: float, seed: int) -> Float64s:
        """Return by how much utilities of features [n, columns] are drawn above, [DRAWS, n].

        scale: of what is drawn. What a log holds, to the bit: they are rounded to float16.
        """
        errors = self.spread @ _normals(seed, self.spread.shape[0])
        drawn = scale * (features.astype(np.float64) @ errors).T
        np.nan_to_num(drawn, copy=False)
        np.clip(drawn, -_LARGEST, _LARGEST, out=drawn)
        rounded: Float64s = np.ascontiguousarray(drawn.astype(np.float16).astype(np.float64))
        return rounded


def _normals(seed: int, rows: int) -> Float64s:
    """Return standard normal numbers [rows, DRAWS] of a seed, by Box and Muller (1958)."""
    half = rows * DRAWS // 2
    state = np.uint64(finalised((seed + GAMMA) & BITS))
    counters = np.arange(_STREAM - 1, _STREAM - 1 + 2 * half, dtype=np.uint64)
    mixed = mix(state + counters * np.uint64(GAMMA))
    uniforms = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniforms[:half]))
    angle = (2.0 * np.pi) * uniforms[half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)]).reshape(rows, DRAWS)
