"""A stable space: rotation, warm start, and the length of vectors."""

import numpy as np
import pytest

from services.trainer.base_vectors import start_from, turned_onto
from services.trainer.procrustes import onto, rotation
from services.trainer.vector_scale import scaled


def vectors(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def orthogonal(size: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(9).standard_normal((size, size)))[0]


def test_a_rotated_space_is_turned_back() -> None:
    old = vectors(50, 8, 1)
    turn = orthogonal(8)
    new = (old @ turn).astype(np.float32)
    np.testing.assert_allclose(onto(new, new[:30], old[:30]), old, atol=1e-5)


def test_rankings_survive_whatever_the_old_space_was() -> None:
    new, old = vectors(40, 6, 2), vectors(40, 6, 3)
    turned = onto(new, new, old)
    np.testing.assert_allclose(turned @ turned.T, new @ new.T, atol=1e-4)
    found = rotation(new, old)
    np.testing.assert_allclose(found @ found.T, np.eye(6), atol=1e-12)


def test_common_items_decide_and_new_ones_come_along() -> None:
    old = vectors(20, 5, 4)
    turn = orthogonal(5)
    previous = {f"i{n}": old[n] for n in range(12)} | {"gone": old[19]}
    fresh = (old @ turn).astype(np.float32)
    turned, common = turned_onto([f"i{n}" for n in range(19)], fresh[:19], previous)
    assert common == 12
    np.testing.assert_allclose(turned, old[:19], atol=1e-5)


def test_without_a_space_before_nothing_turns() -> None:
    fresh = vectors(5, 4, 5)
    turned, common = turned_onto(["a", "b", "c", "d", "e"], fresh, {})
    assert common == 0
    assert turned is fresh
    assert start_from(["a"], {"a": np.ones(3, np.float32)}, 4) is None, "of another dimension"


def test_scaling_keeps_directions_and_bounds_lengths() -> None:
    raw = vectors(101, 7, 6)
    raw[3] = 0
    raw[5] *= 1000
    found, factor = scaled(raw, 0.5, 3.0)
    norms = np.linalg.norm(found, axis=1)
    assert np.median(norms[norms > 0]) == pytest.approx(0.5, rel=1e-5)
    assert norms.max() <= 3.0 * (1 + 1e-6)
    assert not found[3].any()
    assert factor > 0
    cosine = np.sum(found * raw, axis=1)[norms > 0]
    lengths = np.linalg.norm(raw, axis=1)[norms > 0] * norms[norms > 0]
    np.testing.assert_allclose(cosine / lengths, 1, atol=1e-5)
