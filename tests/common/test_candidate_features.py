"""Candidate features against their definitions, one by one."""

import math

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common import candidate_features as cf
from services.feedback.generations.domain.bootstrap_models import prior_scorer

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=60)


def top(ordinals: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """Return the best ordinals with a score, best first, equal ones by ordinal."""
    known = [i for i in ordinals.tolist() if np.isfinite(scores[i])]
    return np.array(sorted(known, key=lambda i: (-scores[i], i))[:count], np.int64)


def features(
    cand: np.ndarray,
    lists: dict[str, np.ndarray],
    scores: dict[str, np.ndarray],
    counts: np.ndarray,
    depth: float,
) -> np.ndarray:
    """Return the features of candidates; sources and signals without scores are silent."""
    ranks = np.zeros((len(cf.SOURCES), cand.size), np.int64)
    for row, source in zip(ranks, cf.SOURCES, strict=True):
        for rank, ordinal in enumerate(lists.get(source, ()), 1):
            row[cand.tolist().index(ordinal)] = rank
    silent = np.zeros(cand.size)
    table = [scores.get(name, silent) for name in cf.ROWS]
    return cf.feature_matrix(ranks, np.array(table, np.float64), counts, depth)


@few
@given(seeds, st.integers(0, 30))
def test_candidate_features(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    ordinals = np.arange(n)
    scores = rng.integers(0, 5, n) / 2.0
    best = top(ordinals, scores, 4)
    levels = np.where(rng.random(n) < 0.3, -np.inf, scores)
    lists = {
        "vector": best,
        "rules": top(ordinals, -scores, 3),
        "popularity": top(ordinals, levels, 5),
    }
    cand = np.array(sorted(set(np.concatenate(list(lists.values())).tolist())), np.int64)
    hydrated = dict.fromkeys(("vector", "history", "content"), scores[cand])
    hydrated["popularity"] = levels[cand]
    counts = rng.integers(0, 30, cand.size).astype(np.float64)
    x = features(cand, lists, hydrated, counts, -1.5)
    assert x.shape == (cand.size, len(cf.COLUMNS))
    assert np.isfinite(x).all()
    col = {name: x[:, k] for k, name in enumerate(cf.COLUMNS)}
    assert not col["rules_z"].any()
    for source, listed in lists.items():
        assert cand[col[f"{source}_in"] == 1].tolist() == sorted(listed.tolist())
        for rank, i in enumerate(listed):
            got = col[f"{source}_rr"][np.searchsorted(cand, i)]
            assert got == pytest.approx(1 / math.log2(rank + 2), rel=1e-5)
    np.testing.assert_allclose(col["young"], [5 / (5 + count) for count in counts], atol=1e-6)
    assert not col["trend_z"].any()
    assert not col["trend_zd"].any()
    if cand.size and np.ptp(scores[cand]) > 0:
        want = (scores[cand] - scores[cand].mean()) / scores[cand].std()
        for name in ("vector", "history"):
            np.testing.assert_allclose(col[f"{name}_z"], want, atol=1e-5)
            np.testing.assert_allclose(col[f"{name}_zd"], -1.5 * want, atol=1e-5)
        np.testing.assert_allclose(col["content_z"], want, atol=1e-5)
        for name in ("young_vector", "young_content"):
            np.testing.assert_allclose(col[name], col["young"] * want, atol=1e-5)


def test_columns_of_older_generations_are_the_first_ones() -> None:
    """A generation names the columns it takes: those of the first release stay where they were."""
    assert cf.COLUMNS[: cf.OLDEST_COLUMNS][-1] == "log_count"
    assert cf.are_first_columns(cf.COLUMNS)
    assert cf.are_first_columns(cf.COLUMNS[: cf.OLDEST_COLUMNS])
    assert not cf.are_first_columns(cf.COLUMNS[: cf.OLDEST_COLUMNS - 1])
    assert not cf.are_first_columns((*cf.COLUMNS, "more"))
    assert not cf.are_first_columns(cf.COLUMNS[::-1])


def test_depth_tells_newcomers_from_regulars() -> None:
    assert [cf.depth(n) for n in (0, 31)] == [pytest.approx(-5 / 3), 0.0]
    assert cf.depth(100) > cf.depth(99)


def test_relative_log_is_relative_to_the_best() -> None:
    assert cf.relative_log(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    found = cf.relative_log(np.array([0.0, 2.0, 8.0]))
    assert found == pytest.approx([math.log(0.01), math.log(0.26), math.log(1.01)])


def test_a_cold_user_gets_popularity_order() -> None:
    levels = np.array([3.0, -np.inf, 9.0, 5.0])
    cand = np.array([0, 2, 3])
    lists = {"popularity": top(np.arange(4), levels, 4)}
    x = features(cand, lists, {"popularity": levels[cand]}, np.ones(3), cf.depth(0))
    session = onnxruntime.InferenceSession(prior_scorer())
    (scored,) = session.run(None, {"features": x})
    assert cand[np.argsort(-scored[:, 0])].tolist() == [2, 3, 0]
