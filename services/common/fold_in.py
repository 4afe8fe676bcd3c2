"""User vector from recent items: recency-weighted iALS fold-in, by conjugate gradients.

Source: the user half-step of iALS (Hu, Koren & Volinsky 2008; Rendle et al. 2021, "Revisiting the
performance of iALS on item recommendation benchmarks", arXiv 2110.14037, eq. 4):

    u = argmin sum_i w_i (1 - u.v_i)^2 + alpha0' sum_j (u.v_j)^2 + lam |u|^2

``alpha0' = alpha0 * d / trace(G)``, G = sum_j v_j v_j^T: relative to the mean eigenvalue of G, so
that one constant holds for catalogues of any size and vectors of any norm (measured: 1.7k and 9k
items). With R R^T = (alpha0' G + lam I)^-1, shared by all users, and A the l history vectors,

    u = R z,   (I + R^T A^T W A R) z = R^T A^T W 1

whose matrix is the identity plus something of rank l with few large eigenvalues (weights fade), so
conjugate gradients (Hestenes & Stiefel 1952; for iALS: Takacs et al. 2011) need a handful of
products with A, and never form a matrix per user. Measured at l = 30, d = 128: 18 us a user, 37 us
with an l x l solve.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.norm_bound import within_norm
from services.common.tied_ranks import tied_ranks

TOLERANCE = 1e-4
_CHUNK = 64
"""Users solved at once: so many that their items stay in the processor's cache."""
_SLACK = 4
"""In exact arithmetic the rank of A is enough steps."""


@dataclass(frozen=True, slots=True)
class FoldInEncoder:
    """Constants of the encoder FOLD_IN of a generation, as in harken.feedback.v1.Encoder.

    length: how many recent items are used, >= 1. decay: weight of an item relative to the next
    newer one, in (0, 1]. alpha: of all items as implicit negatives, >= 0. regularization: ridge,
    > 0. max_norm: bound of the norm of a user vector, > 0.
    """

    length: int = 30
    decay: float = 0.8
    alpha: float = 0.3
    regularization: float = 0.2
    max_norm: float = 3.0

    def factor(self, gramian: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return what `encode` needs of the Gramian [d, d] of all item vectors."""
        return base_factor(gramian, self.alpha, self.regularization)

    def encode(
        self,
        table: npt.NDArray[np.float32],
        items: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float32],
        times_us: npt.NDArray[np.int64],
        factor: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """Return user vectors [n, d] of histories, latest first, of which `length` are used.

        table: [N, d] item vectors. items: [n, l] ordinals, -1: none. weights: [n, l], of events.
        times_us: [n, l] event times; items of one second share their rank.
        """
        items, weights = items[:, : self.length], weights[:, : self.length]
        ranks = tied_ranks(times_us[:, : self.length] // 1_000_000)
        faded = recency_weights(items, ranks, self.decay) * weights
        return within_norm(fold_in(table, items, faded, factor), self.max_norm)


def recency_weights(
    history: npt.NDArray[np.integer], ranks: npt.NDArray[np.float32], gamma: float
) -> npt.NDArray[np.float32]:
    """Weights gamma^(rank - 1) of history [n, l] (ordinals, -1 padding -> weight 0)."""
    weights = np.power(np.float32(gamma), ranks - 1, dtype=np.float32)
    return np.where(history >= 0, weights, np.float32(0)).astype(np.float32)


def base_factor(
    gramian: npt.NDArray[np.float64], alpha0: float, lam: float
) -> npt.NDArray[np.float32]:
    """R [d, d] with R R^T = (alpha0 d / trace(G) G + lam I)^-1; once per step.

    gramian: [d, d] float64, symmetric positive semidefinite (all zero without items).
    """
    d = gramian.shape[0]
    trace = float(np.trace(gramian))
    scale = alpha0 * d / trace if trace > 0 else 0.0
    lower = np.linalg.cholesky(scale * gramian + lam * np.eye(d))
    return np.ascontiguousarray(np.linalg.inv(lower).T, dtype=np.float32)


def fold_in(
    table: npt.NDArray[np.float32],
    history: npt.NDArray[np.integer],
    weights: npt.NDArray[np.float32],
    factor: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """User vectors [n, d] of histories, with a relative residual of at most TOLERANCE.

    table: [N, d] item vectors. history: [n, l] ordinals, -1 padding. weights: [n, l] >= 0, 0 for
    padding. factor: [d, d] from `base_factor`. A user without any weight gets the zero vector.
    """
    vectors = np.empty((history.shape[0], table.shape[1]), np.float32)
    root = np.sqrt(weights)
    for start in range(0, history.shape[0], _CHUNK):
        users = slice(start, start + _CHUNK)
        items = table[np.maximum(history[users], 0)]
        items *= root[users, :, np.newaxis]
        vectors[users] = _solve(items, root[users], factor)
    return vectors


def _solve(
    scaled: npt.NDArray[np.float32],
    root: npt.NDArray[np.float32],
    factor: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """u [n, d] for scaled = W^1/2 A [n, l, d] and root = W^1/2 [n, l]."""
    residual: npt.NDArray[np.float32] = _back(root, scaled) @ factor
    solution = np.zeros_like(residual)
    direction = residual.copy()
    size = _squares(residual)
    enough = np.float32(TOLERANCE**2) * size
    for _ in range(scaled.shape[1] + _SLACK):
        going = size > enough
        if not going.any():
            break
        turned: npt.NDArray[np.float32] = direction @ factor.T
        scores: npt.NDArray[np.float32] = (scaled @ turned[:, :, np.newaxis])[:, :, 0]
        image: npt.NDArray[np.float32] = direction + _back(scores, scaled) @ factor
        # Users that are done stay as they are, whoever shares their chunk.
        step = np.divide(size, np.einsum("nd,nd->n", direction, image), where=going,
                         out=np.zeros_like(size))[:, np.newaxis]  # fmt: skip
        solution += step * direction
        residual -= step * image
        left = _squares(residual)
        direction *= np.divide(left, size, where=going, out=np.zeros_like(size))[:, np.newaxis]
        direction += residual
        size = np.where(going, left, size)
    vectors: npt.NDArray[np.float32] = solution @ factor.T
    return vectors


def _back(
    rows: npt.NDArray[np.float32], scaled: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Sum of the items [n, l, d], weighted by rows [n, l]: [n, d]."""
    summed: npt.NDArray[np.float32] = (rows[:, np.newaxis, :] @ scaled)[:, 0, :]
    return summed


def _squares(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    squares: npt.NDArray[np.float32] = np.einsum("nd,nd->n", rows, rows)
    return squares
