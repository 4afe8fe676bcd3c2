"""Cosine similarity."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.similarity import cosine, cosine_to_rows

_values = st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=3, max_size=3)


def test_the_two_users_of_the_book() -> None:
    expected = 65 / math.sqrt(70 * 79)
    assert cosine([4, 3, 5, 2, 4], [5, 4, 3, 5, 2]) == pytest.approx(expected, abs=1e-12)
    assert round(expected, 4) == 0.8741


@given(_values, st.lists(_values, min_size=1, max_size=4))
def test_rows_equal_the_definition(query: list[float], rows: list[list[float]]) -> None:
    for row, got in zip(rows, cosine_to_rows(query, rows), strict=True):
        lengths = math.hypot(*query), math.hypot(*row)
        expected = 0.0
        if all(lengths):
            parts = zip(query, row, strict=True)
            expected = math.fsum((a / lengths[0]) * (b / lengths[1]) for a, b in parts)
        assert got == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 2, 3]), ([math.nan, 1], [1, 1]), ([[1]], [[1]])])
def test_what_cannot_be_compared_is_an_error(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match=r"cosine|compare"):
        cosine(a, b)


def test_a_zero_vector_is_similar_to_nothing() -> None:
    assert cosine([0, 0], [1, 1]) == 0
