"""User vectors: the compiled core against NumPy, and against the equation that both solve."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.fold_in import TOLERANCE, FoldInEncoder

core = pytest.importorskip("harken_native._core", reason="the compiled core is not installed")

ENCODER = FoldInEncoder(length=12)
many = settings(max_examples=150, deadline=None)


@dataclass
class Case:
    """Histories [n, l] with what they look up, drawn from a seed."""

    table: Any
    items: Any
    weights: Any
    times_us: Any
    exists: Any
    factor: Any

    @classmethod
    def of(cls, seed: int, n: int, length: int, d: int, rows: int = 40) -> "Case":
        chance = np.random.default_rng(seed)
        norms = chance.choice([0.1, 0.5, 2.0]) / np.sqrt(d)
        table = (chance.standard_normal((rows, d)) * norms).astype(np.float32)
        table[chance.random(rows) < 0.1] = 0
        items = chance.integers(-1, rows, (n, length))
        items[chance.random(n) < 0.2] = -1
        weights = chance.choice(np.array([0, 0.25, 1, 3], np.float32), (n, length))
        # Many of one second, some of before 1970, latest first.
        times_us = -np.sort(-chance.integers(-3_000_000, 6_000_000, (n, length)), axis=1)
        exists = chance.random(rows) < 0.8
        double = table.astype(np.float64)
        return cls(
            table, items, np.where(items >= 0, weights, np.float32(0)), times_us, exists,
            ENCODER.factor(double.T @ double),
        )  # fmt: skip

    def encode(self, compiled: bool, encoder: FoldInEncoder = ENCODER, **other: Any) -> Any:
        case = replace(self, **other)
        return encoder.encode(
            case.table, case.items, case.weights, case.times_us, case.factor, case.exists,
            core if compiled else None,
        )  # fmt: skip

    def equation(self, user: int) -> tuple[Any, Any]:
        """What the vector of a user solves, in double precision, by its definition."""
        matrix = np.linalg.inv(self.factor.astype(np.float64))
        wanted = np.zeros(matrix.shape[0])
        times_s = self.times_us[user, : ENCODER.length] // 1_000_000
        for place, second in enumerate(times_s):
            item = self.items[user, place]
            if item < 0 or not self.exists[item]:
                continue
            rank = 1 + np.flatnonzero(times_s == second).mean()
            weight = ENCODER.decay ** (rank - 1) * self.weights[user, place]
            row = self.table[item].astype(np.float64)
            matrix += weight * np.outer(row, row)
            wanted += weight * row
        return matrix, wanted

    def size(self, residual: Any) -> float:
        """The norm that residuals are measured by."""
        return float(np.sqrt(residual @ self.factor.astype(np.float64) @ residual))


cases = st.builds(
    Case.of,
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(0, 20),
    st.integers(1, 128),
)


@many
@given(cases)
def test_user_vectors_are_those_of_numpy(case: Case) -> None:
    """Both leave a residual of at most TOLERANCE; where that is lies in the last digits of the
    steps before, so this bounds how far apart they may be.
    """
    compiled, numpy = case.encode(True), case.encode(False)
    assert compiled.shape == numpy.shape
    assert compiled.dtype == np.float32
    assert (compiled.any(axis=1) == numpy.any(axis=1)).all()
    for user, apart in enumerate((compiled - numpy).astype(np.float64)):
        matrix, wanted = case.equation(user)
        assert case.size(matrix @ apart) <= 2 * TOLERANCE * case.size(wanted) * 1.01 + 1e-5


def test_user_vectors_of_a_served_size_hardly_differ_at_all() -> None:
    encoder, case = FoldInEncoder(), Case.of(11, 2_000, 30, 128, rows=5_000)
    compiled, numpy = (
        encoder.encode(
            case.table, case.items, case.weights, case.times_us, case.factor, case.exists, one
        )
        for one in (core, None)
    )
    apart = np.abs(compiled - numpy).max(axis=1)
    assert np.median(apart) <= 2e-7
    assert np.quantile(apart, 0.95) <= 1e-6
    assert apart.max() <= 1e-4


@many
@given(cases)
def test_the_residual_is_within_its_bound(case: Case) -> None:
    for user, vector in enumerate(case.encode(True, FoldInEncoder(ENCODER.length, max_norm=1e9))):
        matrix, wanted = case.equation(user)
        left = wanted - matrix @ vector.astype(np.float64)
        assert case.size(left) <= TOLERANCE * case.size(wanted) * 1.01 + 1e-5


@many
@given(cases, st.integers(0, 39))
def test_a_user_has_the_same_bits_in_any_company(case: Case, user: int) -> None:
    own = slice(user, user + 1)
    alone = case.encode(
        True, items=case.items[own], weights=case.weights[own], times_us=case.times_us[own]
    )
    assert alone.tobytes() == case.encode(True)[user : user + 1].tobytes()


def test_users_without_history_or_with_items_that_are_gone_are_zero() -> None:
    case = Case.of(1, 5, 8, 16)
    assert not case.encode(True, items=np.full_like(case.items, -1)).any()
    assert not case.encode(True, exists=np.zeros_like(case.exists)).any()


def test_weights_that_are_no_numbers_make_no_vector_on_either_path() -> None:
    case = Case.of(1, 5, 8, 16)
    case.items[:], case.exists[:] = 3, True
    nothing = np.full_like(case.weights, np.nan)
    assert not case.encode(True, weights=nothing).any()
    assert not case.encode(False, weights=nothing).any()


@pytest.mark.parametrize("item", [-2, 40, 2**62, -(2**62)])
def test_an_item_without_a_row_is_refused(item: int) -> None:
    case = Case.of(1, 5, 8, 16)
    case.items[4, 0] = item
    with pytest.raises(IndexError, match="has no row"):
        case.encode(True)
