"""Scores near the end of what a float can say: codes bound nothing there."""

import numpy as np
import pytest

from services.common.compiled_core import find_core

core = find_core()
pytestmark = pytest.mark.skipif(core is None, reason="no compiled core is installed")


@pytest.mark.parametrize(("dimension", "scale", "asked"), [(3, 1e18, 1e19), (3, 1e15, 1e22)])
def test_lists_find_what_the_exact_scan_finds(dimension: int, scale: float, asked: float) -> None:
    assert core is not None
    rng = np.random.default_rng(7)
    rows = 300
    table = (rng.normal(size=(rows, dimension)) * scale).astype(np.float32)
    biases = np.zeros(rows, np.float32)
    query = (rng.normal(size=dimension) * asked).astype(np.float32)
    eligible = np.ones(rows, np.bool_)
    lists = core.VectorLists(dimension, 1)
    ordinals = np.arange(rows)
    lists.put(ordinals, np.zeros(rows, np.int64), table, biases)
    best, scores = core.exact_top(query, table, biases, eligible, 20)
    found = lists.search(query, table, biases, eligible, 20, np.zeros(1, np.float32), rows)
    assert found[0].tolist() == best.tolist()
    assert found[1].tolist() == scores.tolist()
