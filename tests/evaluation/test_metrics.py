"""Metrics against slow oracles that rank with lists."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.arms import FrozenSlate, rank_in
from services.evaluation.metrics import MetricSums, gains, ratio
from services.evaluation.percentiles import percentiles

ranks = st.lists(st.one_of(st.none(), st.integers(1, 30)))


@given(ranks)
def test_means_are_those_of_a_list_of_zeros_with_one_hit(given_ranks: list[int | None]) -> None:
    sums = MetricSums()
    hits, ndcgs, mrrs = [], [], []
    for rank in given_ranks:
        sums.add(rank)
        relevance = [1.0 if rank == place else 0.0 for place in range(1, 11)]
        hits.append(max(relevance))
        ndcgs.append(sum(r / math.log2(p + 2) for p, r in enumerate(relevance)))
        mrrs.append(max(r / (p + 1) for p, r in enumerate(relevance)))

    means = sums.means()

    assert means.events == len(given_ranks)
    n = max(len(given_ranks), 1)
    assert means.hit_rate == pytest.approx(sum(hits) / n)
    assert means.ndcg == pytest.approx(sum(ndcgs) / n)
    assert means.mrr == pytest.approx(sum(mrrs) / n)


def test_known_values() -> None:
    sums = MetricSums()
    for rank in (1, 3, 11, None):
        sums.add(rank)
    assert sums.means().hit_rate == 0.5
    assert sums.means().ndcg == pytest.approx((1 + 1 / 2) / 4)
    assert sums.means().mrr == pytest.approx((1 + 1 / 3) / 4)
    with pytest.raises(ValueError, match="ranks begin at 1"):
        sums.add(0)


# HR, NDCG and MRR at 10 of one test item, as other libraries printed them, to four places. RecBole
# 1.2.1: findings/recbole_ranks_seen_items.sh; LensKit 2025.8.1 (Hit, NDCG, RecipRank):
# findings/lenskit_ndcg_does_not_discount_rank_two.sh.
RECBOLE = {
    1: (1, 1.0, 1.0), 2: (1, 0.6309, 0.5), 3: (1, 0.5, 0.3333), 10: (1, 0.2891, 0.1),
    None: (0, 0.0, 0.0),
}  # fmt: skip
LENSKIT = {
    1: (1, 1.0, 1.0), 2: (1, 1.0, 0.5), 3: (1, 0.6309, 0.3333), 10: (1, 0.301, 0.1),
    11: (0, 0.0, 0.0),
}  # fmt: skip


def ours(rank: int | None) -> tuple[float, float, float]:
    sums = MetricSums()
    sums.add(rank)
    means = sums.means()
    by_sums = (means.hit_rate, means.ndcg, means.mrr)
    by_gains = gains(np.array([np.inf if rank is None else rank], np.float32), 10)[0]
    assert by_sums == pytest.approx(by_gains.tolist())
    return by_sums


def test_they_are_those_of_recbole() -> None:
    for rank, printed in RECBOLE.items():
        assert ours(rank) == pytest.approx(printed, abs=5e-5)


def test_ndcg_of_lenskit_gives_every_rank_what_we_give_to_the_rank_before() -> None:
    for rank, (hit, ndcg, mrr) in LENSKIT.items():
        found = ours(rank)
        assert (found[0], found[2]) == pytest.approx((hit, mrr), abs=5e-5)
        # Beyond the cut-off nothing counts in either.
        before = ours(max(rank - 1, 1))[1] if rank <= 10 else 0.0
        assert before == pytest.approx(ndcg, abs=5e-5)


def test_ratio_of_nothing_is_none() -> None:
    assert ratio(1.0, 0.0) is None
    assert ratio(3.0, 2.0) == 1.5


items = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True)


@given(items, items, st.sampled_from("abcdefghijklmnop"))
def test_a_frozen_slate_ranks_among_what_the_user_has_not_seen(
    slate: list[str], seen: list[str], item: str
) -> None:
    frozen = FrozenSlate(slate)
    for one in seen:
        frozen.see([one])
    left = [candidate for candidate in slate if candidate not in seen]
    expected = left.index(item) + 1 if item in left else None
    assert frozen.rank(item) == expected
    assert rank_in(left, item) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_measured_values_with_enough_below(values: list[float]) -> None:
    found = percentiles(values)
    assert found is not None
    for share, value in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        assert value in values
        assert sum(v <= value for v in values) >= share * len(values)
        assert sum(v < value for v in values) < share * len(values)
    assert found.largest == max(values)
    assert percentiles([]) is None
