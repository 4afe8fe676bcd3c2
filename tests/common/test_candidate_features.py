"""Candidate features against their definitions, one by one."""

import math

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common import candidate_features as cf
from services.feedback.domain.bootstrap_models import prior_scorer

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=60)


@few
@given(seeds, st.integers(0, 30))
def test_candidate_features(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    ordinals = np.arange(n)
    scores = rng.integers(0, 5, n) / 2.0
    best = cf.top(ordinals, scores, 4)
    assert best.tolist() == sorted(range(n), key=lambda i: (-scores[i], i))[:4]
    levels = np.where(rng.random(n) < 0.3, -np.inf, scores)
    lists = {
        "vector": best,
        "rules": cf.top(ordinals, -scores, 3),
        "popularity": cf.top(ordinals, levels, 5),
    }
    cand = cf.union(list(lists.values()))
    silent = {name: np.zeros(cand.size) for name in (*cf.SOURCES, *cf.SIGNALS)}
    hydrated = silent | {"vector": scores[cand], "popularity": levels[cand]}
    x = cf.feature_matrix(cand, lists, hydrated, np.ones(n)[cand], -1.5, cf.CandidateConfig())
    assert x.shape == (cand.size, len(cf.COLUMNS))
    assert np.isfinite(x).all()
    col = {name: x[:, k] for k, name in enumerate(cf.COLUMNS)}
    assert not col["rules_z"].any()
    for source, listed in lists.items():
        assert cand[col[f"{source}_in"] == 1].tolist() == sorted(listed.tolist())
        for rank, i in enumerate(listed):
            got = col[f"{source}_rr"][np.searchsorted(cand, i)]
            assert got == pytest.approx(1 / math.log2(rank + 2), rel=1e-5)
    if cand.size and np.ptp(scores[cand]) > 0:
        want = (scores[cand] - scores[cand].mean()) / scores[cand].std()
        np.testing.assert_allclose(col["vector_z"], want, atol=1e-5)
        np.testing.assert_allclose(col["vector_zd"], -1.5 * want, atol=1e-5)


def test_depth_tells_newcomers_from_regulars() -> None:
    assert [cf.depth(n) for n in (0, 31)] == [pytest.approx(-5 / 3), 0.0]
    assert cf.depth(100) > cf.depth(99)


def test_relative_log_is_relative_to_the_best() -> None:
    assert cf.relative_log(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    found = cf.relative_log(np.array([0.0, 2.0, 8.0]))
    assert found == pytest.approx([math.log(0.01), math.log(0.26), math.log(1.01)])


def test_a_cold_user_gets_popularity_order() -> None:
    levels = np.array([3.0, -np.inf, 9.0, 5.0])
    every, none = np.arange(4), np.zeros(0, np.int64)
    lists = {"vector": none, "rules": none, "popularity": cf.top(every, levels, 4)}
    scores = {name: np.zeros(3) for name in (*cf.SOURCES, *cf.SIGNALS)}
    scores["popularity"] = levels[[0, 2, 3]]
    cand = cf.union(list(lists.values()))
    x = cf.feature_matrix(cand, lists, scores, np.ones(3), cf.depth(0), cf.CandidateConfig())
    session = onnxruntime.InferenceSession(prior_scorer())
    (scored,) = session.run(None, {"features": x})
    assert cand[np.argsort(-scored[:, 0])].tolist() == [2, 3, 0]
