"""iALS by the library `implicit`, with its own fold-in of a fresh history.

Hu, Koren & Volinsky 2008 (ICDM); options as in Rendle et al. 2021 (arXiv 2110.14037): 128 factors;
the weight of observed pairs and the regularization are chosen on the last tenth of training.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from services.evaluation.baselines.fallback import Fallback
from services.evaluation.baselines.item_knn import user_items
from services.evaluation.baselines.recency import latest_first
from services.evaluation.baselines.registry import BaselineContext, RefusedError
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.baselines.validation import choose, grid, head_of
from services.system.timeline import Codes, Ints

FACTORS = 128
SWEEPS = 15
_SEARCH_SWEEPS = 8
_LONGEST = 1000
_FLOPS_PER_SECOND = 3e9


class Ials:
    """Item vectors, and implicit's solve for one user."""

    def __init__(self, model: AlternatingLeastSquares, train: TrainPart) -> None:
        self._model = model
        self._fallback = Fallback(train)
        self._unknown = np.flatnonzero(train.counts() == 0)
        self._items = train.n_items

    @property
    def item_vectors(self) -> npt.NDArray[np.float32]:
        """Vectors [n_items, FACTORS]."""
        return np.asarray(self._model.item_factors, np.float32)

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        """Return dot products with the folded-in user; what training did not see comes last."""
        if items.size == 0:
            return self._fallback.alone()
        own = np.sort(latest_first(items, _LONGEST))
        row = sparse.csr_matrix(
            (np.ones(own.size, np.float32), own, np.array([0, own.size])), shape=(1, self._items)
        )
        user = self._model.recalculate_user(0, row)
        scores: npt.NDArray[np.float64] = (self._model.item_factors @ user).astype(np.float64)
        scores[self._unknown] = -1e6
        return scores


def fit_ials(
    train: TrainPart,
    alpha: float,
    regularization: float,
    sweeps: int,
    seed: int,
    factors: int = FACTORS,
) -> Ials:
    """Return a fitted model."""
    # It has threads of its own; those of BLAS beside them cost more than they bring.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            alpha=alpha,
            regularization=regularization,
            iterations=sweeps,
            num_threads=1,
            random_state=seed,
        )
        model.fit(user_items(train), show_progress=False)
    return Ials(model, train)


def fit(train: TrainPart, context: BaselineContext) -> Ials:
    """Return the baseline.

    Raises:
        RefusedError: it would take too long.

    """
    options = choose_options(train, context)
    return fit_ials(train, sweeps=SWEEPS, seed=context.seed, **options)


def choose_options(
    train: TrainPart, context: BaselineContext, factors: int = FACTORS
) -> Mapping[str, Any]:
    """Return alpha and regularization: those best on the last tenth, when there is time to search.

    Raises:
        RefusedError: fitting once would take too long already.

    """
    candidates = grid(alpha=(1.0, 4.0, 16.0), regularization=(0.1, 3.0, 30.0))
    rows = np.unique(train.users).size + np.unique(train.items).size
    sweep = (rows * 4 * factors**2 * 2 + 2 * len(train) * 4 * factors * 2) / _FLOPS_PER_SECOND
    expected, search = SWEEPS * sweep, _SEARCH_SWEEPS * sweep * len(candidates)
    if expected > context.budget_seconds:
        raise RefusedError(f"{SWEEPS} sweeps would take about {expected:,.0f} s")
    if search + expected > context.budget_seconds / 4:
        context.say("options as usual: there is no time to search for them")
        return {"alpha": 4.0, "regularization": 3.0}
    if search > 20:
        context.say(f"about {search + expected:,.0f} s to choose options and fit")
    head = head_of(train)
    done = 0

    def scorer_of(alpha: float, regularization: float) -> Ials:
        nonlocal done
        done += 1
        context.progress(done, len(candidates) + 2)
        return fit_ials(head, alpha, regularization, _SEARCH_SWEEPS, context.seed, factors)

    best = choose(train, candidates, scorer_of)
    context.say(f"alpha {best['alpha']:g}, regularization {best['regularization']:g}")
    return best
