"""The index against numpy, row by row (sections "one FAISS index, updated in place")."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.domain.item_index import ItemIndex, digest_of

DIMENSION = 5


def filled_index(seed: int, size: int) -> tuple[ItemIndex, np.ndarray, np.ndarray, np.ndarray]:
    """Return an index that grew and changed step by step, and what it must hold."""
    rng = np.random.default_rng(seed)
    index = ItemIndex(DIMENSION)
    vectors = np.zeros((size, DIMENSION), dtype=np.float32)
    biases = np.zeros(size, dtype=np.float32)
    held = np.zeros(size, dtype=bool)
    grown = 0
    while grown < size:
        grown = min(size, grown + int(rng.integers(1, 9)))
        index.grow(grown)
        rows = rng.choice(grown, size=min(grown, 3), replace=False)
        vectors[rows] = rng.integers(-3, 4, size=(rows.size, DIMENSION))
        biases[rows] = rng.integers(-2, 3, size=rows.size)
        held[rows] = True
        index.assign(rows, vectors[rows], biases[rows])
    return index, vectors, biases, held


@given(st.integers(0, 1000), st.integers(1, 60), st.integers(1, 70))
def test_search_is_exact_and_returns_eligible_items_only(seed: int, size: int, count: int) -> None:
    index, vectors, biases, held = filled_index(seed, size)
    rng = np.random.default_rng(seed + 1)
    eligible = held & (rng.random(size) < 0.7)
    query = rng.integers(-3, 4, size=DIMENSION).astype(np.float32)

    ordinals, scores = index.search(query, eligible, count)

    truth = vectors @ query + biases
    best = np.sort(truth[eligible])[::-1][:count]
    assert scores.tolist() == best.tolist()
    assert truth[ordinals].tolist() == scores.tolist()
    assert eligible[ordinals].all()
    assert len(set(ordinals.tolist())) == ordinals.size
    pairs = list(zip((-scores).tolist(), ordinals.tolist(), strict=True))
    # FAISS by itself returns equal scores by descending id.
    assert pairs == sorted(pairs)


@given(st.integers(0, 1000), st.integers(1, 60))
def test_dots_and_cosines_are_those_of_the_rows(seed: int, size: int) -> None:
    index, vectors, biases, held = filled_index(seed, size)
    query = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    ordinals = np.arange(size)

    np.testing.assert_allclose(
        index.dots(query, ordinals), vectors @ query + biases, rtol=1e-5, atol=1e-5
    )
    row = int(np.flatnonzero(held)[0])
    cosines = index.rough_cosines(row, held)
    for ordinal in range(size):
        if not held[ordinal]:
            assert cosines[ordinal] == -np.inf
            continue
        norms = np.linalg.norm(vectors[row]) * np.linalg.norm(vectors[ordinal])
        expected = vectors[row] @ vectors[ordinal] / norms if norms else 0.0
        assert abs(cosines[ordinal] - expected) < 1e-5


def test_nothing_is_found_when_nothing_is_eligible() -> None:
    index, _, _, held = filled_index(1, 20)
    ordinals, scores = index.search(np.ones(DIMENSION, np.float32), np.zeros_like(held), 10)
    assert ordinals.size == scores.size == 0


def test_an_empty_index_finds_nothing() -> None:
    ordinals, _ = ItemIndex(3).search(np.ones(3, np.float32), np.zeros(0, bool), 10)
    assert ordinals.size == 0


def test_digest_is_sha256_over_ids_vectors_and_biases() -> None:
    rows = np.array([[1.0, 2.0, 0.5], [3.0, 4.0, -0.5]], dtype=np.float32)
    stated = hashlib.sha256(
        b"a" + np.array([1, 2, 0.5], "<f4").tobytes()
        + "\u00e9".encode() + np.array([3, 4, -0.5], "<f4").tobytes()
    )  # fmt: skip
    assert digest_of(["a", "\u00e9"], rows) == stated.digest()
