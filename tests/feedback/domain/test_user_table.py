"""Recent items of users against an obvious model: lists (the user state of truths 2 and 8)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.learner.model.user_table import NO_ITEM, UserTable

LENGTH = 4
Recent = list[tuple[int, float, int]]
_event = st.tuples(
    st.integers(0, 3),
    st.integers(NO_ITEM, 6),
    st.sampled_from([1.0, 0.5, 0.0, -1.0]),
    st.integers(0, 99),
)


def told(recent: Recent, item: int, weight: float, time_us: int) -> Recent:
    """What the docstring of `record` says, for one event."""
    if item == NO_ITEM or weight == 0:
        return recent
    others = [known for known in recent if known[0] != item]
    return [(item, weight, time_us), *others][:LENGTH] if weight > 0 else others


def row_of(items: np.ndarray, weights: np.ndarray, times_us: np.ndarray) -> Recent:
    columns = zip(items.tolist(), weights.tolist(), times_us.tolist(), strict=True)
    row = list(columns)
    held = [cell for cell in row if cell[0] != NO_ITEM]
    assert row == held + [(NO_ITEM, 0.0, 0)] * (len(row) - len(held)), "padding is at the end"
    return held


@given(st.lists(st.lists(_event, max_size=12), max_size=5))
def test_users_hold_what_lists_hold(steps: list[list[tuple[int, int, float, int]]]) -> None:
    table = UserTable(LENGTH)
    model: dict[int, Recent] = {}
    moment = recorded = 0
    for told_now in steps:
        # In order of time; late events have tests of their own.
        step = []
        for user, item, weight, later in told_now:
            moment += later
            step.append((user, item, weight, moment))
        users = [f"u{user}".encode() for user, *_ in step]
        rows = table.rows(users)
        before = table.record(
            rows,
            np.array([event[1] for event in step], np.int64),
            np.array([event[2] for event in step], np.float32),
            np.array([event[3] for event in step], np.int64),
            np.arange(recorded, recorded + len(step)),
        )
        recorded += len(step)
        for index, (user, item, weight, time_us) in enumerate(step):
            recent = model.get(user, [])
            assert (
                row_of(before.items[index], before.weights[index], before.times_us[index]) == recent
            )
            model[user] = told(recent, item, weight, time_us)
    for user, recent in model.items():
        held = table.histories(table.rows([f"u{user}".encode()]))
        assert row_of(held.items[0], held.weights[0], held.times_us[0]) == recent
