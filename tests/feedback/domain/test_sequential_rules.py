"""Sequential rules against a dictionary of pairs."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.learner.model.sequential_rules import (
    EMPTY,
    ChangedCells,
    RuleConfig,
    RuleTable,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=60)


Ints = npt.NDArray[np.int64]


def rule_events(
    rng: np.random.Generator, n: int, items: int, window: int
) -> tuple[Ints, Ints, npt.NDArray[np.float32]]:
    """Return random items, histories (latest first) and weights of n events."""
    hist = rng.integers(0, items, (n, window + 2))
    length = rng.integers(0, window + 3, n)
    hist[np.arange(window + 2)[None, :] >= length[:, None]] = -1
    return rng.integers(0, items, n), hist, rng.choice([0.0, 0.5, 1.0], n).astype(np.float32)


@few
@given(seeds, st.lists(st.integers(0, 9), max_size=5))
def test_roomy_rules_equal_a_dict_whatever_the_steps(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    items, config = 9, RuleConfig(cap=9, window=4)
    table, replica = RuleTable(items, config), RuleTable(items, config)
    want: dict[tuple[int, int], float] = {}
    for n in sizes:
        pos, hist, weights = rule_events(rng, n, items, 4)
        for i, h, w in zip(pos.tolist(), hist.tolist(), weights.tolist(), strict=True):
            since = h[: h.index(i)] if i in h else h
            gain = 0.5 * w if i in h else w
            for k, a in enumerate(since[:4], start=1):
                if a >= 0 and w > 0:
                    want[a, i] = want.get((a, i), 0) + gain / k**0.5
                    want[i, a] = want.get((i, a), 0) + 0.5 * gain / k**0.5
        replica.assign(table.update_batch(pos, hist, weights))
    got = {
        (a, int(table.cols[a, s])): float(table.vals[a, s])
        for a in range(items)
        for s in range(9)
        if table.cols[a, s] != EMPTY
    }
    assert got == pytest.approx(want, rel=1e-5)
    assert (replica.cols == table.cols).all()
    assert (replica.vals == table.vals).all()


@few
@given(seeds, st.lists(st.integers(0, 12), max_size=6), st.integers(1, 4))
def test_full_rows_stay_capped_unique_and_replicable(seed: int, sizes: list[int], cap: int) -> None:
    rng = np.random.default_rng(seed)
    config = RuleConfig(cap=cap, window=3)
    table, replica = RuleTable(4, config), RuleTable(0, config)
    for step, n in enumerate(sizes):
        items = 4 + step
        table.grow(items)
        replica.grow(items)
        before = table.cols.copy(), table.vals.copy()
        cells: ChangedCells = table.update_batch(*rule_events(rng, n, items, 3))
        keys = list(zip(cells.rows.tolist(), cells.slots.tolist(), strict=True))
        assert keys == sorted(set(keys))
        changed = np.zeros(table.cols.shape, bool)
        changed[cells.rows, cells.slots] = True
        assert (table.cols == before[0])[~changed].all()
        assert (table.vals == before[1])[~changed].all()
        replica.assign(cells)
        assert (replica.cols == table.cols).all()
        assert (replica.vals == table.vals).all()
        for row, (cols, vals) in enumerate(zip(table.cols, table.vals, strict=True)):
            used = cols[cols != EMPTY].tolist()
            assert len(used) == len(set(used))
            assert row not in used
            assert (vals[cols != EMPTY] >= 0).all()
            assert (vals[cols == EMPTY] == 0).all()
