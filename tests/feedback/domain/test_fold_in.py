"""Fold-in against the dense ridge regression it stands for."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.fold_in import base_factor, fold_in

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=60)


@few
@given(seeds, st.integers(1, 6), st.integers(0, 8), st.integers(1, 12))
def test_fold_in_is_the_dense_ridge_solution(seed: int, n: int, length: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((20, d)).astype(np.float32)
    hist = rng.integers(-1, 20, (n, length))
    weights = np.where(hist >= 0, rng.random((n, length)), 0).astype(np.float32)
    gram = table.T.astype(np.float64) @ table.astype(np.float64)
    factor = base_factor(gram, 0.7, 0.3)
    got = fold_in(table, hist, weights, factor)
    scale = 0.7 * d / np.trace(gram)
    for e in range(n):
        a = scale * gram + 0.3 * np.eye(d)
        b = np.zeros(d)
        for i, w in zip(hist[e], weights[e], strict=True):
            if i >= 0:
                v = table[i].astype(np.float64)
                a += w * np.outer(v, v)
                b += w * v
        want = np.linalg.solve(a, b)
        np.testing.assert_allclose(got[e], want, atol=1e-3 * (1 + np.abs(want).max()))


def test_fold_in_of_nobody_and_of_an_empty_catalogue() -> None:
    factor = base_factor(np.zeros((4, 4)), 1.0, 0.25)
    np.testing.assert_allclose(factor @ factor.T, np.eye(4) * 4, rtol=1e-6)
    none = np.full((2, 3), -1)
    got = fold_in(np.ones((1, 4), np.float32), none, np.zeros((2, 3), np.float32), factor)
    assert not got.any()
