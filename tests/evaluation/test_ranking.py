"""Ranks by scores against sorting with all orders of ties."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.arm import Moment
from services.evaluation.metrics import MetricSums, gains
from services.evaluation.ranking import best_of, rank_by_scores

NO_TIMES = np.zeros(0, np.int64)
NOBODY = np.zeros(0, np.int32)


def moment(hidden: list[bool], targets: list[int]) -> Moment:
    return Moment(0, 0, NOBODY, NO_TIMES, np.array(hidden), NOBODY, np.array(targets, np.int32))


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0, float("nan")]), st.booleans()),
                min_size=1, max_size=6))  # fmt: skip
def test_the_rank_is_the_mean_over_all_orders_of_equal_scores(
    items: list[tuple[float, bool]],
) -> None:
    scores = np.array([score for score, _ in items])
    hidden = [is_hidden for _, is_hidden in items]
    targets = list(range(len(items)))
    found = rank_by_scores(scores, moment(hidden, targets), 3)

    ranked = [i for i in targets if not hidden[i] and not np.isnan(scores[i])]
    orders = [
        order
        for order in itertools.permutations(ranked)
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    for target in targets:
        if target in ranked:
            mean = sum(order.index(target) + 1 for order in orders) / len(orders)
            assert found.ranks[target] == pytest.approx(mean)
        else:
            assert np.isinf(found.ranks[target])
    assert tuple(found.best.tolist()) in {order[:3] for order in orders}
    assert found.best.tolist() == sorted(ranked, key=lambda i: (-scores[i], i))[:3]


@given(st.lists(st.floats(-3, 3), max_size=30), st.integers(1, 10))
def test_the_best_are_the_first_of_a_stable_sort(values: list[float], count: int) -> None:
    found = best_of(np.array(values), count)
    assert found.tolist() == sorted(range(len(values)), key=lambda i: (-values[i], i))[:count]


@given(st.lists(st.one_of(st.none(), st.integers(1, 30))), st.integers(1, 20))
def test_columns_of_gains_are_those_of_single_events(ranks: list[int | None], cutoff: int) -> None:
    sums = MetricSums(cutoff)
    for rank in ranks:
        sums.add(rank)
    column = np.array([np.inf if rank is None else rank for rank in ranks], np.float32)
    means = gains(column, cutoff).sum(axis=0) / max(len(ranks), 1)
    expected = sums.means()
    assert means.tolist() == pytest.approx([expected.hit_rate, expected.ndcg, expected.mrr])
