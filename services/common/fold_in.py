"""User vector from recent items: recency-weighted iALS fold-in, by conjugate gradients.

Source: the user half-step of iALS (Hu, Koren & Volinsky 2008; Rendle et al. 2021, "Revisiting the
performance of iALS on item recommendation benchmarks", arXiv 2110.14037, eq. 4):

    u = argmin sum_i w_i (1 - u.v_i)^2 + alpha0' sum_j (u.v_j)^2 + lam |u|^2

``alpha0' = alpha0 * d / trace(G)``, G = sum_j v_j v_j^T: relative to the mean eigenvalue of G, so
that one constant holds for catalogues of any size and vectors of any norm (measured: 1.7k and 9k
items). With P = alpha0' G + lam I, shared by all users, and A the l history vectors, u solves

    (P + A^T W A) u = A^T W 1

by conjugate gradients (Hestenes & Stiefel 1952; for iALS: Takacs et al. 2011) preconditioned by
P^-1: what is left of the matrix is the identity plus something of rank l with few large eigenvalues
(weights fade), so a handful of products with A is enough, and no matrix per user is ever formed. P
itself is never applied: P p follows from the recurrence of p, as P z = r. Measured at l = 30,
d = 128: 11 us a user; 18 us with a two-sided preconditioner and a tenth of the tolerance, which
rank alike; 37 us with an l x l solve.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.norm_bound import within_norm
from services.common.tied_ranks import tied_ranks

TOLERANCE = 1e-3
"""Of the residual, relative, in the norm of P^-1."""
_CHUNK = 128
"""Users solved at once: so many that their items stay in the processor's cache."""
_SLACK = 4
"""In exact arithmetic the rank of A is enough steps."""


class CompiledEncoder(Protocol):
    """What the compiled core does of this file."""

    def encode_users(
        self,
        table: npt.NDArray[np.float32],
        items: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float32],
        times_us: npt.NDArray[np.int64],
        exists: npt.NDArray[np.bool_] | None,
        factor: npt.NDArray[np.float32],
        length: int,
        decay: float,
        max_norm: float,
        tolerance: float,
        slack: int,
    ) -> npt.NDArray[np.float32]:
        """Do what `FoldInEncoder.encode` does; all arrays C-contiguous.

        Most users are within 1e-6 of it. Where rounding makes the solver stop a step apart, both
        answers are within its tolerance.

        Raises:
            TypeError: a dtype, a number of axes or a memory layout is not as it says.
            ValueError: shapes do not belong together.
            IndexError: an item is not in -1..N-1.

        """


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
        return base_inverse(gramian, self.alpha, self.regularization)

    def encode(
        self,
        table: npt.NDArray[np.float32],
        items: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float32],
        times_us: npt.NDArray[np.int64],
        factor: npt.NDArray[np.float32],
        exists: npt.NDArray[np.bool_] | None = None,
        core: CompiledEncoder | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return user vectors [n, d] of histories, latest first, of which `length` are used.

        table: [N, d] item vectors. items: [n, l] ordinals, -1: none. weights: [n, l], of events.
        times_us: [n, l] event times; items of one second share their rank. exists: [N], which items
        count; all do by default. core: does it, when there is one.
        """
        if core is not None:
            return core.encode_users(
                table, items, weights, times_us, exists, factor,
                self.length, self.decay, self.max_norm, TOLERANCE, _SLACK,
            )  # fmt: skip
        if exists is not None:
            # -1 looks up the last row; it stays what it is.
            items = np.where(exists[items], items, -1)
        items, weights = items[:, : self.length], weights[:, : self.length]
        ranks = tied_ranks(times_us[:, : self.length] // 1_000_000)
        faded = recency_weights(items, ranks, self.decay) * weights
        return within_norm(fold_in(table, items, faded, factor), self.max_norm)


def recency_weights(
    history: npt.NDArray[np.integer], ranks: npt.NDArray[np.float32], gamma: float
) -> npt.NDArray[np.float32]:
    """Weights gamma^(rank - 1) of history [n, l] (ordinals, -1 padding -> weight 0)."""
    weights: npt.NDArray[np.float32] = np.power(np.float32(gamma), ranks - 1, dtype=np.float32)
    weights *= history >= 0
    return weights


def base_inverse(
    gramian: npt.NDArray[np.float64], alpha0: float, lam: float
) -> npt.NDArray[np.float32]:
    """(alpha0 d / trace(G) G + lam I)^-1 [d, d]; once per step.

    gramian: [d, d] float64, symmetric positive semidefinite up to rounding (all zero without
    items).
    """
    d = gramian.shape[0]
    trace = float(np.trace(gramian))
    scale = alpha0 * d / trace if trace > 0 else 0.0
    base = scale * gramian + lam * np.eye(d)
    try:
        lower = np.linalg.inv(np.linalg.cholesky(base))
    except np.linalg.LinAlgError:
        # Nearly all items are gone, and what is left of the sum is the rounding of them all.
        values, axes = np.linalg.eigh(base)
        lower = (axes / np.sqrt(np.maximum(values, lam))).T
    return np.ascontiguousarray(lower.T @ lower, dtype=np.float32)


def fold_in(
    table: npt.NDArray[np.float32],
    history: npt.NDArray[np.integer],
    weights: npt.NDArray[np.float32],
    inverse: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """User vectors [n, d] of histories, with a relative residual of at most TOLERANCE.

    table: [N, d] item vectors. history: [n, l] ordinals, -1 padding. weights: [n, l] >= 0, 0 for
    padding. inverse: [d, d] from `base_inverse`. A user without any weight gets the zero vector.
    """
    (n, length), d = history.shape, table.shape[1]
    vectors = np.empty((n, d), np.float32)
    # Memory that is there already, and no check of bounds: twice as fast as table[history].
    room = np.empty((min(n, _CHUNK), length, d), np.float32)
    for start in range(0, n, _CHUNK):
        users = slice(start, start + _CHUNK)
        # What pads a history has weight 0, whichever row it looks up.
        items = np.take(table, history[users], axis=0, mode="clip", out=room[: len(history[users])])
        vectors[users] = _solve(items, weights[users], inverse)
    return vectors


def _solve(
    items: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    inverse: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """u [n, d] for A = items [n, l, d], the diagonal of W = weights [n, l], P^-1 = inverse."""
    # Side by side, for both directions turn alike: P z = r, and P p = image in base.
    left_over = np.empty((2, items.shape[0], items.shape[2]), np.float32)
    residual, preconditioned = left_over
    residual[:] = _back(weights, items)
    np.matmul(residual, inverse, out=preconditioned)
    directions = left_over.copy()
    image_in_base, direction = directions
    solution = np.zeros(residual.shape, np.float32)
    size = _dots(residual, preconditioned)
    enough = np.float32(TOLERANCE**2) * size
    for _ in range(items.shape[1] + _SLACK):
        going = size > enough
        if not np.count_nonzero(going):
            break
        scores: npt.NDArray[np.float32] = (items @ direction[:, :, np.newaxis])[:, :, 0]
        image = image_in_base + _back(scores * weights, items)
        # Users that are done stay as they are, whoever shares their chunk.
        step = _ratio(size, _dots(direction, image), going)
        solution += step * direction
        residual -= step * image
        np.matmul(residual, inverse, out=preconditioned)
        # The same as before where nothing moved.
        left = _dots(residual, preconditioned)
        turn = _ratio(left, size, going)
        directions *= turn
        directions += left_over
        size = left
    return solution


def _back(rows: npt.NDArray[np.float32], items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Sum of the items [n, l, d], weighted by rows [n, l]: [n, d]."""
    summed: npt.NDArray[np.float32] = (rows[:, np.newaxis, :] @ items)[:, 0, :]
    return summed


def _dots(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    dots: npt.NDArray[np.float32] = np.vecdot(one, other)
    return dots


def _ratio(
    above: npt.NDArray[np.float32], below: npt.NDArray[np.float32], where: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """above / below [n, 1], 0 elsewhere."""
    ratio: npt.NDArray[np.float32] = np.zeros((above.size, 1), np.float32)
    np.divide(above, below, where=where, out=ratio[:, 0])
    return ratio
