"""The item step against single gradients, one after the other."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2
from services.feed.parameters import VectorRows
from services.feed.parameters_codec import read_vectors, write_vectors
from services.feedback.learner.model.item_step import (
    ItemStepConfig,
    bpr_step,
    draw_negatives,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=60)


def norm_of(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector))


@few
@given(seeds, st.integers(0, 12), st.integers(1, 4))
def test_bpr_step_is_the_sum_of_single_gradients(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    items, d = 6, 5
    table = rng.standard_normal((items, d)).astype(np.float32)
    base = rng.standard_normal((items, d)).astype(np.float32)
    users = rng.standard_normal((n, d)).astype(np.float32)
    users[rng.random(n) < 0.2] = 0
    pos, neg = rng.integers(0, items, n), rng.integers(0, items, (n, k))
    weights = rng.choice([0.0, 0.5, 1.0], n).astype(np.float32)
    config = ItemStepConfig(eta=0.3, pull=0.05, max_norm=2.0, max_drift=1.5, negatives=k)
    before = table.copy()
    rows, new = bpr_step(users, pos, weights, neg, table, base, config)
    assert (table == before).all()
    move, touch = np.zeros((items, d)), np.zeros(items)
    for e in range(n):
        size = np.linalg.norm(users[e].astype(np.float64))
        if size == 0 or weights[e] == 0:
            continue
        u = users[e] / size
        for j in neg[e]:
            if j == pos[e]:
                continue
            x = float(u @ table[pos[e]] - u @ table[j])
            g = 0.3 / k * weights[e] / (1 + math.exp(x))
            move[pos[e]] += g * u
            move[j] -= g * u
            touch[j] += 1
        if (neg[e] != pos[e]).any():
            touch[pos[e]] += 1
    assert rows.tolist() == np.flatnonzero(touch).tolist()
    for r, v in zip(rows, new, strict=True):
        drift = (table[r] + move[r] - base[r]) * 0.95 ** touch[r]
        drift *= min(1, 1.5 / max(float(np.linalg.norm(drift)), 1e-12))
        want = base[r] + drift
        want *= min(1, 2.0 / max(float(np.linalg.norm(want)), 1e-12))
        unit = 2.0 / 4_095
        np.testing.assert_allclose(v, want, atol=unit * (0.51 if norm_of(want) < 1.99 else 1.01))
        np.testing.assert_array_equal(v, np.rint(v / np.float32(unit)) * np.float32(unit))
        assert norm_of(v) <= 2.0 * (1 + 1e-6)


@few
@given(seeds, st.integers(1, 40), st.integers(1, 1000))
def test_negatives_do_not_depend_on_step_boundaries(seed: int, cut: int, n_items: int) -> None:
    config = ItemStepConfig(seed=seed)
    sequence = np.arange(50) + 2**40
    whole = draw_negatives(sequence, n_items, config)
    parts = [draw_negatives(x, n_items, config) for x in np.split(sequence, [cut])]
    assert (whole == np.concatenate(parts)).all()
    assert 0 <= whole.min() <= whole.max() < n_items


def test_negatives_are_uniform() -> None:
    drawn = draw_negatives(np.arange(200_000), 10, ItemStepConfig())
    share = np.bincount(drawn.ravel(), minlength=10) / drawn.size
    assert np.abs(share - 0.1).max() < 0.004


@few
@given(seeds, st.sampled_from((0.0, 3.0)))
def test_moved_vectors_come_off_the_wire_with_the_same_bits(seed: int, least: float) -> None:
    """Truths 4 and 6: who took the step and who gets its frame hold the same bits, signs of zeros
    included.
    """
    rng = np.random.default_rng(seed)
    # Around a few units: every other value comes to a zero, half of them from below.
    table = (rng.uniform(-3, 3, (6, 64)) * 3.0 / 4_095).astype(np.float32)
    table[:, 0] += np.float32(least)
    user = np.zeros((1, 64), np.float32)
    user[0, 1] = 1
    config = ItemStepConfig(eta=0.5)
    one = np.ones(1, np.float32)
    items, vectors = bpr_step(
        user, np.zeros(1, np.int64), one, np.array([[1, 2, 3]]), table, table, config
    )
    assert (vectors == 0).any()
    wire = frame_pb2.ItemVectors()
    zeros = np.zeros(items.size, np.float32)
    unit = float(np.float32(config.max_norm / 4_095))
    write_vectors("g", VectorRows(items, vectors, zeros, zeros > 0, True, unit), wire)
    assert read_vectors(wire).vectors.tobytes() == vectors.tobytes()
