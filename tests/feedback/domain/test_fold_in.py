"""Fold-in against the dense ridge regression it stands for."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.fold_in import TOLERANCE, base_inverse, fold_in

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
    got = fold_in(table, hist, weights, base_inverse(gram, 0.7, 0.3)).astype(np.float64)
    base = 0.7 * d / np.trace(gram) * gram + 0.3 * np.eye(d)
    for e in range(n):
        a, b = base.copy(), np.zeros(d)
        for i, w in zip(hist[e], weights[e], strict=True):
            if i >= 0:
                v = table[i].astype(np.float64)
                a += w * np.outer(v, v)
                b += w * v
        want = np.linalg.solve(a, b)
        # The residual is what is promised; a is at least 0.3 everywhere, so it bounds the error.
        residual = b - a @ got[e]
        size = np.sqrt(b @ np.linalg.solve(base, b))
        rounding = 1e-5 * (1 + np.abs(a).max())
        assert np.sqrt(residual @ np.linalg.solve(base, residual)) <= TOLERANCE * size + rounding
        np.testing.assert_allclose(got[e], want, atol=1e-2 * (1 + np.abs(want).max()))


def test_a_gramian_of_which_only_rounding_is_left_has_an_inverse() -> None:
    """All items were deleted: the sum is neither zero nor positive."""
    rounding = np.diag([3e-6, -2e-6, 1e-6, -1e-6])
    inverse = base_inverse(rounding, 0.3, 0.2)
    assert np.isfinite(inverse).all()
    eigenvalues = np.linalg.eigvalsh(inverse.astype(np.float64))
    assert (eigenvalues > 0).all()
    assert eigenvalues[-1] <= 1 / 0.2 + 1e-5


def test_fold_in_of_nobody_and_of_an_empty_catalogue() -> None:
    inverse = base_inverse(np.zeros((4, 4)), 1.0, 0.25)
    np.testing.assert_allclose(inverse, np.eye(4) * 4, rtol=1e-6)
    none = np.full((2, 3), -1)
    got = fold_in(np.ones((1, 4), np.float32), none, np.zeros((2, 3), np.float32), inverse)
    assert not got.any()
