"""Late events in the learner's memory of users: as if they had come in order of time (truth 3)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.learner.model.user_table import NO_ITEM, UserTable

LENGTH = 6
Told = tuple[int, int, float]
"""Item, minute, weight."""

told = st.tuples(st.integers(0, 4), st.integers(0, 8), st.sampled_from((1.0, 2.0, -1.0)))


def recorded(events: list[tuple[Told, int]], at_once: int) -> tuple[UserTable, list[list[int]]]:
    """Return a table after events with their log sequences, and what was before each of them."""
    table = UserTable(LENGTH)
    before: list[list[int]] = []
    for begin in range(0, len(events), at_once):
        part = events[begin : begin + at_once]
        found = table.record(
            table.rows([b"u"] * len(part)),
            np.array([item for (item, _, _), _ in part], np.int64),
            np.array([weight for (_, _, weight), _ in part], np.float32),
            np.array([minute * 60_000_000 for (_, minute, _), _ in part], np.int64),
            np.array([sequence for _, sequence in part], np.int64),
        )
        before += [[item for item in row if item != NO_ITEM] for row in found.items.tolist()]
    return table, before


def in_order(events: list[tuple[Told, int]]) -> list[tuple[int, float, int]]:
    """The oracle: a list, newest first, of item, weight and sequence."""
    shown: list[tuple[int, float, int]] = []
    for (item, _, weight), sequence in sorted(events, key=lambda one: (one[0][1], one[1])):
        shown = [one for one in shown if one[0] != item]
        if weight > 0:
            shown.insert(0, (item, weight, sequence))
    return shown


def shown_of(table: UserTable) -> list[tuple[int, float, int]]:
    own = np.array([0])
    found, sequences = table.histories(own), table.sequences(own)
    return [
        (item, weight, sequence)
        for item, weight, sequence in zip(
            found.items[0].tolist(), found.weights[0].tolist(), sequences[0].tolist(), strict=True
        )
        if item != NO_ITEM
    ]


# As many events and items as are remembered: beyond, what fell out does not come back.
@given(st.lists(told, min_size=1, max_size=LENGTH), st.integers(1, 4))
def test_any_order_gives_the_state_of_the_order_of_time(events: list[Told], at_once: int) -> None:
    log = list(zip(events, range(1, len(events) + 1), strict=True))
    table, before = recorded(log, at_once)
    assert shown_of(table) == in_order(log)
    for place, ((item, minute, weight), sequence) in enumerate(log):
        # What came before it, in the log and in time.
        earlier = [one for one in log[:place] if (one[0][1], one[1]) < (minute, sequence)]
        assert before[place] == [item for item, _, _ in in_order(earlier)], (item, weight)


@given(st.lists(told, min_size=2, max_size=LENGTH), st.data())
def test_an_event_that_is_taken_back_had_never_been(
    events: list[Told], data: st.DataObject
) -> None:
    log = list(zip(events, range(1, len(events) + 1), strict=True))
    table, _ = recorded(log, 2)
    gone = data.draw(st.integers(1, len(log)))
    table.forget(0, gone)
    assert shown_of(table) == in_order([one for one in log if one[1] != gone])


def test_what_is_older_than_all_that_is_remembered_falls_out_at_once() -> None:
    log: list[tuple[Told, int]] = [((item, 10 + item, 1.0), item + 1) for item in range(LENGTH)]
    table, _ = recorded(log, 1)
    late = (99, 1, 1.0)
    again, before = recorded([*log, (late, 50)], 1)
    assert shown_of(again) == shown_of(table)
    assert before[-1] == []


def test_a_table_kept_by_an_earlier_release_is_put_in_order() -> None:
    table = UserTable(LENGTH)
    row = table.row(b"u")
    table.restore(
        row, np.array([5, 7]), np.array([1, 1], np.float32), np.array([200, 100]), np.array([1, 2])
    )
    assert [item for item, _, _ in shown_of(table)] == [5, 7]
    table.record(
        np.array([row]), np.array([9]), np.array([1], np.float32), np.array([150]), np.array([3])
    )
    assert [item for item, _, _ in shown_of(table)] == [5, 9, 7]
