"""Baselines against tiny dense implementations that follow the papers literally."""

import importlib.util
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from services.evaluation.baselines.decayed_popularity import choose_half_life
from services.evaluation.baselines.fallback import Fallback
from services.evaluation.baselines.recency import latest_first, weighted
from services.evaluation.baselines.registry import (
    BASELINES,
    Baseline,
    BaselineContext,
    RefusedError,
)
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.baselines.v_sknn import SessionIndex, VSknn
from services.evaluation.baselines.validation import choose, head_of, ndcg
from services.evaluation.score_arm import Scorer
from tests.evaluation.histories import timeline_of

NO_TIMES = np.zeros(0, np.int64)


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"{', '.join(missing)} missing (extra `eval` or `train`)"
    )


def train_of(users: int, items: int, events: int, seed: int) -> TrainPart:
    """Return users of two tastes: those of even number like items of even number."""
    random = np.random.default_rng(seed)
    who = random.integers(0, users, events)
    what = random.integers(0, items // 2, events) * 2 + who % 2
    times = np.sort(random.integers(0, 10**6, events)) * 10**6
    return TrainPart(who.astype(np.int32), what.astype(np.int32), times, users, items)


def context_of(
    train: TrainPart, budget_seconds: float = 600.0, most: int = 1000
) -> BaselineContext:
    timeline = timeline_of([("u", "a", 1), ("u", "b", 2)])
    return BaselineContext(
        timeline, 1, budget_seconds, most, lambda done, total: None, lambda _: None
    )


def matrix_of(train: TrainPart) -> npt.NDArray[np.float64]:
    matrix = np.zeros((train.n_users, train.n_items))
    matrix[train.users, train.items] = 1
    return matrix


def history(*items: int) -> npt.NDArray[np.int32]:
    return np.array(items, np.int32)


def scores(scorer: Scorer, *items: int) -> npt.NDArray[np.floating]:
    return scorer.scores(history(*items), np.zeros(len(items), np.int64), 0)


def order(values: Sequence[float] | npt.NDArray[np.floating]) -> list[int]:
    return [int(i) for i in np.argsort(-np.asarray(values), kind="stable")]


def test_histories_as_distinct_items_latest_first() -> None:
    assert latest_first(history(1, 2, 3, 2, 1, 1), 10).tolist() == [1, 2, 3]
    assert latest_first(history(*([5] * 100), 4, 4), 2).tolist() == [4, 5]
    items, weights = weighted(history(1, 2, 3, 2), 0.5, 2)
    assert items.tolist() == [2, 3]
    assert weights.tolist() == [1.0, 0.5]


def test_popularity_counts_training_events() -> None:
    train = train_of(20, 10, 200, 1)
    scorer = BASELINES["popularity"].fit(train, context_of(train))
    assert scores(scorer).tolist() == [(train.items == item).sum() for item in range(10)]


def test_the_half_life_fits_how_fast_popularity_moves() -> None:
    """Every day another item is what everybody takes: what is older says nothing."""
    day = 86_400 * 10**6
    count = 4000
    times = np.arange(count) * day // 100
    items = (times // day % 20).astype(np.int32)
    train = TrainPart(np.zeros(count, np.int32), items, times, 1, 20)
    assert choose_half_life(train) <= day
    # Without any drift, the longer the better.
    random = np.random.default_rng(2)
    steady = random.choice(20, count, p=np.arange(1, 21) / 210).astype(np.int32)
    assert choose_half_life(TrainPart(train.users, steady, times, 1, 20)) > 4 * day


@needs("scipy")
def test_item_knn_is_shrunk_cosine_with_the_nearest_kept() -> None:
    from services.evaluation.baselines.item_knn import ItemKnn, nearest, user_items

    train = train_of(30, 12, 150, 3)
    matrix = matrix_of(train)
    common = matrix.T @ matrix
    sizes = np.diag(common)
    for shrink, count in ((0.0, 100), (7.0, 100), (2.0, 3)):
        with np.errstate(invalid="ignore", divide="ignore"):
            similarity = common / (np.sqrt(np.outer(sizes, sizes)) + shrink)
        np.fill_diagonal(similarity, 0.0)
        kept = np.zeros_like(similarity)
        for item in range(12):
            best = sorted(similarity[item], reverse=True)[:count][-1]
            kept[item] = np.where(similarity[item] >= best, similarity[item], 0)
        found = nearest(user_items(train), shrink, count)
        dense = np.asarray(found.todense())
        if count == 3:
            # Which of equal neighbours is kept is open.
            assert np.sort(dense, axis=1) == pytest.approx(
                np.sort(np.where(dense > 0, kept, 0), axis=1)
            )
            assert (np.count_nonzero(dense, axis=1) <= 3).all()
        else:
            assert dense == pytest.approx(similarity)
            own = history(3, 5, 3, 8)
            expected = 0.5**0 * similarity[8] + 0.5**1 * similarity[3] + 0.5**2 * similarity[5]
            got = ItemKnn(found, Fallback(train), 0.5).scores(own, NO_TIMES, 0)
            there = expected > 0
            assert got[there] == pytest.approx(expected[there], rel=1e-5)
            assert (got[~there] < 0).all()


@needs("scipy")
def test_the_latest_items_of_a_long_history_count() -> None:
    from services.evaluation.baselines.item_knn import user_items

    items = np.array([0, 1, 2, 3, 0, 1], np.int32)
    train = TrainPart(np.zeros(6, np.int32), items, np.arange(6), 1, 5)
    assert np.asarray(user_items(train, 3).todense()).tolist() == [[1, 1, 0, 1, 0]]


@needs("scipy")
def test_ease_is_the_closed_form() -> None:
    from services.evaluation.baselines.ease import Ease, ease_weights

    train = train_of(40, 10, 200, 4)
    matrix = matrix_of(train)
    inverse = np.linalg.inv(matrix.T @ matrix + 50 * np.eye(10))
    expected = np.eye(10) - inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    found = ease_weights(matrix.T @ matrix, 50.0)
    assert found == pytest.approx(expected, abs=1e-5)
    scorer = Ease(found, np.arange(10), Fallback(train), 1.0, 10)
    assert scores(scorer, 2, 7, 2) == pytest.approx(expected[2] + expected[7], abs=1e-5)


@needs("scipy")
def test_ease_refuses_what_is_too_large() -> None:
    train = train_of(40, 10, 200, 4)
    with pytest.raises(RefusedError, match=r"10 items.* at most 9 items"):
        BASELINES["ease"].fit(train, context_of(train, most=9))


@needs("implicit", "scipy")
def test_ials_folds_in_by_the_normal_equations() -> None:
    from services.evaluation.baselines.ials import fit_ials

    train = train_of(40, 10, 200, 5)
    scorer = fit_ials(train, 4.0, 0.5, 5, seed=1)
    vectors = scorer.item_vectors.astype(np.float64)
    own = vectors[[2, 7]]
    # Hu, Koren & Volinsky 2008, eq. 4, with confidence 4 for what was taken and 1 for the rest.
    left = vectors.T @ vectors + (4 - 1) * own.T @ own + 0.5 * np.eye(vectors.shape[1])
    user = np.linalg.solve(left, 4 * own.sum(axis=0))
    assert scores(scorer, 7, 2) == pytest.approx(vectors @ user, abs=1e-4)


def test_v_sknn_votes_as_the_paper_says() -> None:
    checked = sum(votes_agree(train_of(15, 20, 90, seed), k=4, sample=6) for seed in range(40))
    assert checked >= 5


def votes_agree(train: TrainPart, k: int, sample: int) -> bool:
    """Compare votes for one history; return False where equal similarities leave the edge open."""
    scorer = VSknn(SessionIndex(train), Fallback(train), 20, k, last=3, idf=True, sample=sample)
    own, recent = [4, 9, 4, 2, 11, 6], [6, 11, 2]
    sessions = {u: set(train.items[train.users == u].tolist()) for u in range(15)}
    last_time = {u: train.times_us[train.users == u].max(initial=-1) for u in sessions}
    sharing = [u for u in sessions if sessions[u] & set(recent)]
    sampled = sorted(sharing, key=lambda u: -last_time[u])[:sample]
    weight = {item: (3 - position) / 3 for position, item in enumerate(recent)}
    similarity = {u: sum(weight.get(i, 0) for i in sessions[u]) for u in sampled}
    ordered = sorted(similarity.values(), reverse=True)
    if len(ordered) > k and ordered[k - 1] == ordered[k]:
        return False
    votes = np.zeros(20)
    active = [u for u in sessions if sessions[u]]
    for u in sorted(sampled, key=lambda u: -similarity[u])[:k]:
        position = min(recent.index(i) for i in sessions[u] & set(recent))
        for item in sessions[u]:
            holding = sum(item in sessions[v] for v in active)
            votes[item] += similarity[u] * (1 - 0.1 * position) * np.log(len(active) / holding)
    found = scores(scorer, *own)
    there = votes > 0
    assert there.any()
    assert found[there] == pytest.approx(votes[there])
    assert (found[~there] < 0).all()
    return True


@needs("torch")
def test_sasrec_does_not_look_ahead_and_ignores_padding() -> None:
    torch = pytest.importorskip("torch", reason="torch is missing (extra `train`)")
    from services.evaluation.baselines.sasrec_network import Network

    torch.manual_seed(1)
    network = Network(30).eval()
    one = torch.tensor([[3, 7, 9, 12]])
    other = torch.tensor([[3, 7, 20, 25]])
    with torch.inference_mode():
        assert torch.allclose(network(one)[:, :2], network(other)[:, :2], atol=1e-6)
        padded = torch.nn.functional.pad(one, (5, 0))
        assert torch.allclose(network(padded)[:, -4:], network(one), atol=1e-5)


@needs("torch")
def test_sasrec_windows_hold_every_pair_once() -> None:
    from services.evaluation.baselines.sasrec import _Trainer

    users = np.sort(np.random.default_rng(0).integers(0, 5, 700)).astype(np.int32)
    items = np.arange(700, dtype=np.int32)
    train = TrainPart(users, items, np.arange(700) * 10**6, 5, 700)
    pairs = [
        (a, b)
        for row in _Trainer(train, 1, None)._windows().tolist()
        for a, b in itertools.pairwise(row)
        if a > 0
    ]
    ends = set((np.flatnonzero(np.diff(users)) + 1).tolist())
    expected = {(n, n + 1) for n in range(1, 700) if n not in ends}
    assert set(pairs) == expected
    assert len(pairs) == len(expected)


FITTED = [
    pytest.param(name, marks=needs(*baseline.needs), id=name)
    for name, baseline in sorted(BASELINES.items())
]


@pytest.mark.parametrize("name", FITTED)
def test_every_peer_finds_the_taste_of_a_user_it_has_not_seen(name: str) -> None:
    """All baselines through one check: finite, seeded, honest about the unknown, and they learn."""
    train = train_of(60, 30, 1500, 7)
    wider = TrainPart(train.users, train.items, train.times_us, 70, 35)
    fitted = BASELINES[name].fit(wider, context_of(wider))
    own = history(2, 4, 6, 8, 10, 12)
    times = np.arange(6) * 10**6
    found = fitted.scores(own, times, 10**9)
    assert found.shape == (35,)
    assert not np.isnan(found).any()
    # Whatever training did not see comes after all that it saw.
    assert found[30:].max() < found[:30].min()
    assert np.isfinite(fitted.scores(own[:0], times[:0], 10**9)[:30]).all()
    again = BASELINES[name].fit(wider, context_of(wider)).scores(own, times, 10**9)
    assert order(again) == order(found)
    if "popularity" not in name:
        unseen = [item for item in order(found) if item not in own.tolist()]
        assert sum(item % 2 == 0 for item in unseen[:8]) >= 7


def test_a_missing_library_is_named() -> None:
    fit = BASELINES["popularity"].fit
    assert Baseline(fit, ("no_such_module",), "eval").missing() == (
        "no_such_module is not installed (extra `eval`)"
    )
    assert Baseline(fit, ("numpy",), "eval").missing() is None


def test_options_are_chosen_by_the_end_of_training_alone() -> None:
    train = train_of(60, 30, 1500, 8)

    class Taste:
        def __init__(self, right: bool) -> None:
            self.right = right

        def scores(
            self, items: npt.NDArray[np.int32], times_us: npt.NDArray[np.int64], now_us: int
        ) -> npt.NDArray[np.float64]:
            taste = items[-1] % 2 if items.size else 0
            wanted = taste if self.right else 1 - taste
            return np.where(np.arange(30) % 2 == wanted, 1.0, 0.0)

    assert len(head_of(train)) == 1350
    assert ndcg(train, Taste(True)) > ndcg(train, Taste(False))
    assert choose(train, [{"right": False}, {"right": True}], Taste) == {"right": True}
