"""No vector that the trainer makes is longer than the feedback service takes, whatever it saw."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.feedback.generations.domain.trained_vectors_check import vectors_fault
from services.trainer import ials, vector_scale
from services.trainer.constants import scaled_table
from services.trainer.engine import LocalEngine
from services.trainer.ials import IalsOptions, train_ials
from services.trainer.interactions import write_interactions
from services.trainer.vector_scale import scaled

MAX_NORM = 3.0
VALUES = st.floats(-(2.0**100), 2.0**100, width=32, allow_nan=False)
TABLES = arrays(np.float32, (6, 4), elements=VALUES)
NORMS = st.floats(0.01, 10.0)


def refused(vectors: np.ndarray) -> str | None:
    """What the feedback service says of them."""
    names = [str(row) for row in range(len(vectors))]
    return vectors_fault(names, vectors.astype("<f4").tobytes(), b"", vectors.shape[1], MAX_NORM)


@given(TABLES, NORMS)
def test_scaled_vectors_are_taken(vectors: np.ndarray, norm: float) -> None:
    found, factor = scaled(vectors, norm, MAX_NORM)
    assert refused(found) is None
    assert np.isfinite(factor)
    assert factor > 0
    assert (found[~vectors.any(axis=1)] == 0).all()


@given(TABLES, TABLES, NORMS)
def test_starts_of_items_without_events_are_taken(
    vectors: np.ndarray, start: np.ndarray, norm: float
) -> None:
    assert refused(scaled_table(vectors, start, norm, MAX_NORM)) is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 5), st.floats(0.0, 1000.0)),
        min_size=1, max_size=40,
    ),
    NORMS,
)  # fmt: skip
def test_vectors_fitted_to_any_history_are_taken(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, int, float]], norm: float
) -> None:
    folder: Path = tmp_path_factory.mktemp("ials")
    users, items, weights = zip(*events, strict=True)
    chunk = (np.array(users), np.array(items), np.array(weights, np.float32))
    interactions = write_interactions(folder / "interactions", [chunk], 5, 6)
    options = IalsOptions(dimension=4, sweeps=2)
    raw = train_ials(interactions, options, folder / "users", engine=LocalEngine())
    assert np.isfinite(raw).all()
    assert refused(scaled(raw, norm, MAX_NORM)[0]) is None


@settings(max_examples=25, deadline=None)
@given(arrays(np.float32, (5, 16), elements=st.floats(-1.0, 1.0, width=32)), st.floats(1e-6, 1e6))
def test_what_a_tower_makes_is_taken(content: np.ndarray, factor: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
    from services.trainer.item_tower import ItemTowerModel
    from services.trainer.tower_options import TowerOptions
    from services.trainer.tower_run import ScaledTower

    torch.manual_seed(1)
    tower = ScaledTower(ItemTowerModel(16, 4, TowerOptions(hidden=8)), factor, MAX_NORM).eval()
    with torch.no_grad():
        assert refused(tower(torch.from_numpy(content)).numpy()) is None


def test_parts_of_rows_come_to_the_same_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(2).standard_normal((11, 4)).astype(np.float32)
    vectors[3] = 0
    whole, factor = scaled(vectors, 0.5, 0.6)
    monkeypatch.setattr(vector_scale, "_ROWS", 3)
    parts, same = scaled(vectors, 0.5, 0.6)
    assert same == factor
    np.testing.assert_array_equal(parts, whole)


def test_first_vectors_are_one_stream_however_many_are_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a seed gives what it always gave."""
    options = IalsOptions(dimension=4, seed=7)
    drawn = np.random.Generator(np.random.Philox(key=7)).standard_normal((11, 4))
    monkeypatch.setattr(ials, "_BLOCK_ROWS", 3)
    found = ials.first_vectors(11, options)
    np.testing.assert_array_equal(found, (drawn * (0.1 / 2.0)).astype(np.float32))
