"""Item-kNN: cosine of items by their users, shrunk, the nearest neighbours kept.

Sarwar et al. 2001 (WWW), section 3.1.1; shrinkage as Bell & Koren 2007 (KDD), here in the
denominator: s(i, j) = |U_i and U_j| / (sqrt(|U_i| |U_j|) + shrink). Deshpande & Karypis 2004
(TOIS): an item's score is the sum of its similarities to the items of the user. Shrinkage and how
fast older items of a user fade are chosen on the last tenth of training.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from services.evaluation.baselines.fallback import Fallback
from services.evaluation.baselines.ranges import ranges
from services.evaluation.baselines.recency import weighted
from services.evaluation.baselines.registry import BaselineContext, RefusedError
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.baselines.validation import choose, grid, head_of
from services.system.timeline import Codes, Ints

NEIGHBOURS = 200
_LONGEST = 1000
"""Distinct items of a user that count, the latest: pairs grow with their square."""
_PAIRS_PER_SECOND = 2e7
_BLOCK_CELLS = 20_000_000


class ItemKnn:
    """Rows of neighbours: item -> (neighbours, similarities), concatenated."""

    def __init__(
        self,
        neighbours: sparse.csr_matrix,
        fallback: Fallback,
        gamma: float,
    ) -> None:
        self._indptr = neighbours.indptr
        self._indices = neighbours.indices
        self._data = neighbours.data
        self._items = neighbours.shape[0]
        self._fallback = fallback
        self._gamma = gamma

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        """Return the weighted sums of similarities; popularity below them."""
        if items.size == 0:
            return self._fallback.alone()
        own, weights = weighted(items, self._gamma, _LONGEST)
        places, owner = ranges(self._indptr[own], self._indptr[own + 1])
        values = self._data[places] * weights[owner]
        sums = np.bincount(self._indices[places], values, minlength=self._items)
        return self._fallback.fill(sums.astype(np.float64))


def user_items(train: TrainPart, longest: int | None = None) -> sparse.csr_matrix:
    """Return which user had which item, as ones [n_users, n_items]; the latest `longest` each."""
    order, _ = train.by_user()
    # A pair counts once, by its last event.
    keys = train.users[order].astype(np.int64) * train.n_items + train.items[order]
    _, last = np.unique(keys[::-1], return_index=True)
    kept = np.sort(keys.size - 1 - last)
    users, items = train.users[order][kept], train.items[order][kept]
    if longest is not None:
        ends = np.cumsum(np.bincount(users, minlength=train.n_users))
        inside = np.arange(users.size) >= ends[users] - longest
        users, items = users[inside], items[inside]
    ones = np.ones(users.size, np.float32)
    return sparse.csr_matrix((ones, (users, items)), shape=(train.n_users, train.n_items))


def nearest(interactions: sparse.csr_matrix, shrink: float, count: int) -> sparse.csr_matrix:
    """Return the `count` largest similarities of each item, [n_items, n_items]; none to itself."""
    by_item = interactions.T.tocsr()
    roots = np.sqrt(np.diff(by_item.indptr).astype(np.float64))
    items = interactions.shape[1]
    block = max(1, _BLOCK_CELLS // max(items, 1))
    rows, columns, values = [], [], []
    for begin in range(0, items, block):
        common = (by_item[begin : begin + block] @ interactions).tocsr()
        for row in range(common.shape[0]):
            part = slice(common.indptr[row], common.indptr[row + 1])
            others, shared = common.indices[part], common.data[part]
            item = begin + row
            different = others != item
            others, shared = others[different], shared[different]
            similarity = shared / (roots[item] * roots[others] + shrink)
            if others.size > count:
                kept = np.argpartition(-similarity, count)[:count]
                others, similarity = others[kept], similarity[kept]
            rows.append(np.full(others.size, item))
            columns.append(others)
            values.append(similarity)
    together = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(together, shape=(items, items))


def fit(train: TrainPart, context: BaselineContext) -> ItemKnn:
    """Return the baseline.

    Raises:
        RefusedError: there are too many pairs of items of one user.

    """
    interactions = user_items(train, _LONGEST)
    pairs = float((np.diff(interactions.indptr).astype(np.float64) ** 2).sum())
    expected = 4 * pairs / _PAIRS_PER_SECOND
    if expected > context.budget_seconds:
        raise RefusedError(f"{pairs:.1e} pairs of items would take about {expected:,.0f} s")
    head = head_of(train)
    fallback = Fallback(head)
    tables = {}
    for shrink in (0.0, 10.0, 50.0):
        tables[shrink] = nearest(user_items(head, _LONGEST), shrink, NEIGHBOURS)
        context.progress(len(tables), 5)

    def scorer_of(shrink: float, gamma: float) -> ItemKnn:
        return ItemKnn(tables[shrink], fallback, gamma)

    candidates = grid(shrink=list(tables), gamma=(1.0, 0.95, 0.9, 0.8))
    best: Mapping[str, Any] = choose(train, candidates, scorer_of)
    context.say(f"shrinkage {best['shrink']:g}, older items fade by {best['gamma']:g}")
    table = nearest(interactions, best["shrink"], NEIGHBOURS)
    return ItemKnn(table, Fallback(train), best["gamma"])
