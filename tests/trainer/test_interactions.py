"""Interactions on disk against a dense matrix."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer import interactions as module
from services.trainer.interactions import SparseRows, write_interactions

PAIRS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 4), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])),
    max_size=60,
)


def dense(rows: SparseRows, columns: int) -> np.ndarray:
    matrix = np.zeros((len(rows), columns))
    for start, stop in rows.bounds(rows=2, nnz=3):
        block = rows.block(start, stop)
        for row in range(stop - start):
            part = slice(block.offsets[row], block.offsets[row + 1])
            own = block.columns[part]
            assert (np.diff(own) > 0).all(), "columns of a row are not distinct and ascending"
            matrix[start + row, own] = block.weights[part]
    return matrix


@given(pairs=PAIRS, cut=st.integers(1, 7))
def test_both_orientations_hold_the_sum_of_positive_weights(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int, float]], cut: int
) -> None:
    wanted = np.zeros((7, 5))
    for user, item, weight in pairs:
        wanted[user, item] += max(weight, 0.0)
    parts = [pairs[begin : begin + cut] for begin in range(0, len(pairs), cut)]
    chunks = [
        (
            np.array([one[0] for one in part], np.int32),
            np.array([one[1] for one in part], np.int32),
            np.array([one[2] for one in part], np.float32),
        )
        for part in parts
    ]
    folder: Path = tmp_path_factory.mktemp("rows")
    found = write_interactions(folder, chunks, users=7, items=5)
    np.testing.assert_array_equal(dense(found.by_user, 5), wanted)
    np.testing.assert_array_equal(dense(found.by_item, 7), wanted.T)
    assert not list(folder.rglob("spool*")), "the spool was left behind"
    assert not list(folder.rglob("raw*"))


def test_rows_are_placed_alike_however_small_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts bound the memory; they must not show in what is written."""
    generator = np.random.default_rng(0)
    chunk = (
        generator.integers(0, 50, 2000).astype(np.int32),
        generator.integers(0, 30, 2000).astype(np.int32),
        np.ones(2000, np.float32),
    )
    whole = write_interactions(tmp_path / "whole", [chunk], 50, 30)
    monkeypatch.setattr(module, "_PART", 64)
    parted = write_interactions(tmp_path / "parted", [chunk], 50, 30)
    np.testing.assert_array_equal(dense(parted.by_user, 30), dense(whole.by_user, 30))
    np.testing.assert_array_equal(dense(parted.by_item, 50), dense(whole.by_item, 50))
