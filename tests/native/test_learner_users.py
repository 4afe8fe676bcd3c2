"""What a standby makes of the log itself has the same bits with the compiled core and without."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.learner.model.daily_cap import DailyCap
from services.feedback.learner.model.user_table import NO_ITEM, UserTable

core = pytest.importorskip("harken_native._core", reason="the compiled core is not installed")

LENGTH, CAP, DAY_US = 4, 3, 86_400_000_000
many = settings(max_examples=300, deadline=None)
_event = st.tuples(
    st.integers(0, 3),
    st.integers(NO_ITEM, 6),
    st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.0, -1.0]),
    # Few times, so that events come late, at once, and before 1970.
    st.integers(-3, 12),
)
_batches = st.lists(st.lists(_event, max_size=40), min_size=1, max_size=4)


def _columns(batch: list[Any], first: int) -> tuple[Any, ...]:
    users, items, weights, times = (
        np.array([event[column] for event in batch], dtype)
        for column, dtype in enumerate((np.int64, np.int64, np.float32, np.int64))
    )
    return users, items, weights, times * (DAY_US // 4), first + np.arange(len(batch))


def _content(table: UserTable) -> list[Any]:
    rows = np.arange(len(table))
    held = table.histories(rows)
    return [
        held.items.tolist(), held.weights.tolist(), held.times_us.tolist(),
        table.sequences(rows).tolist(), [table.past(row) for row in rows.tolist()],
        [table.hidden(row) for row in rows.tolist()],
    ]  # fmt: skip


@many
@given(_batches)
def test_recent_items_are_equal(batches: list[list[Any]]) -> None:
    """Truth 4: a learner's user table is checkpoint + log, whoever rebuilds it."""
    tables = UserTable(LENGTH, core), UserTable(LENGTH)
    first = 1
    for batch in batches:
        columns = _columns(batch, first)
        first += len(batch)
        for table in tables:
            table.rows([b"%d" % user for user in range(4)])
        compiled, numpy = (table.record(*columns) for table in tables)
        assert compiled.items.tolist() == numpy.items.tolist()
        assert compiled.weights.tobytes() == numpy.weights.tobytes()
        assert compiled.times_us.tolist() == numpy.times_us.tolist()
        assert _content(tables[0]) == _content(tables[1])


@many
@given(_batches)
def test_influence_is_equal(batches: list[list[Any]]) -> None:
    caps = DailyCap(CAP, core), DailyCap(CAP)
    first, rows = 1, np.arange(4)
    for batch in batches:
        users, items, weights, times_us, sequences = _columns(batch, first)
        first += len(batch)
        teach = (items != NO_ITEM) & (weights != 0)
        compiled, numpy = (cap.admit(users, times_us, sequences, teach) for cap in caps)
        assert compiled.tolist() == numpy.tolist()
        for one, other in zip(caps[0].contents(rows), caps[1].contents(rows), strict=True):
            assert one.tolist() == other.tolist()
        assert [caps[0].beyond(row) for row in range(4)] == [
            caps[1].beyond(row) for row in range(4)
        ]
