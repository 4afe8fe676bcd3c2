"""The nearest of vectors in batches, against sorting all of them."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.nearest import Nearest

NUMBERS = st.integers(-3, 3).map(float) | st.sampled_from([1e-7, 60000.0])
VECTORS = st.lists(NUMBERS, min_size=3, max_size=3)
BATCHES = st.lists(st.lists(st.tuples(st.sampled_from("abcdefghijkl"), VECTORS),
                            unique_by=lambda pair: pair[0], max_size=8), max_size=5)  # fmt: skip


def cosine(one: list[float], other: list[float]) -> float | None:
    lengths = math.hypot(*one) * math.hypot(*other)
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else None


@given(VECTORS, BATCHES, st.integers(1, 6))
def test_the_nearest_are_those_of_all(
    own: list[float], batches: list[list[tuple[str, list[float]]]], count: int
) -> None:
    nearest = Nearest(np.array(own, np.float32), count)
    assert nearest.has_direction == any(own)
    truth: dict[str, list[float]] = {}
    for batch in batches:
        rows = np.array([vector for _, vector in batch], np.float32).reshape(len(batch), 3)
        nearest.offer([name.encode() for name, _ in batch], rows)
        truth |= dict(batch)
    if not any(own):
        return
    similar = {name: cosine(own, vector) for name, vector in truth.items() if any(vector)}
    found = {near.key.decode(): near.similarity for near in nearest.found()}
    for name, one in found.items():
        wanted = similar[name]
        assert wanted is not None
        assert math.isclose(one, wanted, abs_tol=1e-6)
    # A name of an earlier batch may have fallen out, and come back too far to count.
    again = {name for batch in batches for name, _ in batch if _times(batches, name) > 1}
    if not again:
        assert len(found) == min(count, len(similar))
        left = [one for name, one in similar.items() if name not in found and one is not None]
        assert max(left, default=-1.0) <= min(found.values(), default=1.0) + 1e-6
        assert nearest.compared == len(similar)


def _times(batches: list[list[tuple[str, list[float]]]], name: str) -> int:
    return sum(name == other for batch in batches for other, _ in batch)


def test_equal_ones_are_in_order_of_their_keys() -> None:
    nearest = Nearest(np.array([1, 0], np.float32), 3)
    nearest.offer([b"d", b"b", b"far"], np.array([[2, 0], [1, 0], [0, 1]], np.float32))
    nearest.offer([b"a", b"c"], np.array([[3, 0], [4, 0]], np.float32))
    assert [near.key for near in nearest.found()] == [b"a", b"b", b"c"]


def test_a_vector_that_is_offered_again_is_there_once_as_it_was_last() -> None:
    nearest = Nearest(np.array([1, 0], np.float32), 3)
    nearest.offer([b"a", b"b"], np.array([[1, 0], [1, 1]], np.float32))
    nearest.offer([b"a"], np.array([[0, 1]], np.float32))
    assert [near.key for near in nearest.found()] == [b"b", b"a"]
