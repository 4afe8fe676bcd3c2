"""EASE: a linear item-item model in closed form.

Steck 2019 (WWW, arXiv 1905.03375), equation 8: with G = X^T X + lambda I and P = G^-1,
B[i, j] = -P[i, j] / P[j, j] off the diagonal, 0 on it; the scores of a user are x B. The inverse
takes O(items^3) time and O(items^2) memory, so it refuses large catalogues. Lambda and how fast
older items of a user fade are chosen on the last tenth of training.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg

from services.evaluation.baselines.fallback import Fallback
from services.evaluation.baselines.item_knn import user_items
from services.evaluation.baselines.recency import weighted
from services.evaluation.baselines.registry import BaselineContext, RefusedError
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.baselines.validation import choose, grid, head_of
from services.system.timeline import Codes, Ints

LAMBDAS = (50.0, 200.0, 800.0, 2000.0)
_MIDDLE = 500.0
_FLOPS_PER_SECOND = 1.5e10
_SEARCHED_ITEMS = 5_000
"""Beyond, only the fading is searched: every lambda costs an inverse."""
_LONGEST = 500


class Ease:
    """Weights [items in training, same] and where these items are in the whole catalogue."""

    def __init__(
        self,
        weights: npt.NDArray[np.float32],
        known: Ints,
        fallback: Fallback,
        gamma: float,
        n_items: int,
    ) -> None:
        self._weights = weights
        self._known = known
        self._row_of = np.full(n_items, -1, np.int64)
        self._row_of[known] = np.arange(known.size)
        self._fallback = fallback
        self._gamma = gamma

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        """Return x B; items that training did not see come last, by number."""
        own, fading = weighted(items, self._gamma, _LONGEST)
        rows = self._row_of[own]
        there = rows >= 0
        scores = self._fallback.alone() - 1e6
        if not there.any():
            return self._fallback.alone()
        scores[self._known] = fading[there] @ self._weights[rows[there]]
        return scores


def ease_weights(
    gramian: npt.NDArray[np.floating], regularization: float
) -> npt.NDArray[np.float32]:
    """Return B for X^T X, which is left as it is."""
    regularized = gramian.astype(np.float32, copy=True)
    regularized[np.diag_indices_from(regularized)] += regularization
    # By Cholesky: half the work of a general inverse, and symmetric by construction.
    factor = linalg.cholesky(regularized, lower=True, overwrite_a=True, check_finite=False)
    (inverse_of,) = linalg.get_lapack_funcs(("potri",), (factor,))
    inverse, fault = inverse_of(factor, lower=True, overwrite_c=True)
    if fault:
        raise ArithmeticError(f"the Gramian could not be inverted ({fault})")
    lower = np.tril(inverse)
    inverse = lower + np.tril(lower, -1).T
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0.0
    return np.ascontiguousarray(weights, np.float32)


def fit(train: TrainPart, context: BaselineContext) -> Ease:
    """Return the baseline.

    Raises:
        RefusedError: there are too many items.

    """
    known = np.flatnonzero(train.counts())
    if known.size > context.max_items_ease:
        raise RefusedError(
            f"{known.size:,} items; the inverse takes items^3 operations, at most "
            f"{context.max_items_ease:,} items are taken"
        )
    search = LAMBDAS if known.size <= _SEARCHED_ITEMS else (_MIDDLE,)
    expected = (len(search) + 1) * float(known.size) ** 3 / _FLOPS_PER_SECOND
    if expected > context.budget_seconds:
        raise RefusedError(f"inverses of {known.size:,} items would take about {expected:,.0f} s")
    if expected > 20:
        context.say(f"about {expected:,.0f} s for {len(search) + 1} inverses")
    head = head_of(train)
    gramian, known_head = _gramian(head)
    fallback = Fallback(head)
    found: dict[float, npt.NDArray[np.float32]] = {}
    for regularization in search:
        found[regularization] = ease_weights(gramian, regularization)
        context.progress(len(found), len(search) + 1)

    def scorer_of(regularization: float, gamma: float) -> Ease:
        return Ease(found[regularization], known_head, fallback, gamma, train.n_items)

    candidates = grid(regularization=list(found), gamma=(1.0, 0.95, 0.9, 0.8))
    best: Mapping[str, Any] = choose(train, candidates, scorer_of)
    context.say(f"lambda {best['regularization']:g}, older items fade by {best['gamma']:g}")
    found.clear()
    gramian, known = _gramian(train)
    weights = ease_weights(gramian, best["regularization"])
    return Ease(weights, known, Fallback(train), best["gamma"], train.n_items)


def _gramian(train: TrainPart) -> tuple[npt.NDArray[np.float32], Ints]:
    known = np.flatnonzero(train.counts())
    interactions = user_items(train)[:, known].tocsr()
    return np.asarray((interactions.T @ interactions).toarray(), np.float32), known
