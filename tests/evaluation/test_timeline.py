"""Timelines against the slow tie groups of lists; pasts against lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.past import Past
from services.evaluation.protocol import Rules
from services.evaluation.tie_groups import tie_groups
from services.system.history import HistoryEvent, split_history, start_row
from tests.evaluation.histories import Row, timeline_of

rows = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcdef"), st.integers(0, 8)),
    min_size=1,
    max_size=40,
)


@given(rows, st.floats(0, 1), st.one_of(st.none(), st.integers(1, 20)))
def test_groups_are_those_of_the_replay(
    history: list[Row], start: float, limit: int | None
) -> None:
    timeline = timeline_of(history, Rules(start=start, limit=limit))
    events = [HistoryEvent(user, item, second) for user, item, second in history]
    split = split_history(events, start_row(start, len(events)))
    after = split.after if limit is None else split.after[:limit]

    assert timeline.split == len(split.before)
    found = [
        [
            (timeline.events.user_ids[timeline.events.users[e]],
             timeline.item_ids[timeline.events.items[e]])
            for e in timeline.group(number).tolist()
        ]
        for number in range(timeline.groups)
    ]  # fmt: skip
    expected = [[(event.user, event.item) for event in group.events] for group in tie_groups(after)]
    assert found == expected


@given(rows)
def test_items_are_numbered_by_the_file_then_by_first_events(history: list[Row]) -> None:
    timeline = timeline_of(history, first_items=["z", "c"])
    by_time = [item for _, item, _ in sorted(history, key=lambda row: row[2])]
    assert list(timeline.item_ids) == list(dict.fromkeys(["z", "c", *by_time]))
    assert timeline.listed == 2
    assert [timeline.item_ids[code] for code in timeline.events.items] == by_time


@given(rows, st.data())
def test_a_past_grows_as_it_is_revealed(history: list[Row], data: st.DataObject) -> None:
    events = timeline_of(history).events
    counted = np.array(data.draw(st.lists(st.booleans(), min_size=len(history),
                                          max_size=len(history))))  # fmt: skip
    past = Past(events.users, events.items, events.times_us, counted)
    begin = data.draw(st.integers(0, len(history)))
    past.reveal(np.arange(begin))
    for end in range(begin, len(history) + 1):
        if end > begin:
            past.reveal_of(int(events.users[end - 1]), np.array([end - 1]))
        for user in range(len(events.user_ids)):
            mine = [e for e in range(end) if events.users[e] == user and counted[e]]
            assert past.items(user).tolist() == events.items[mine].tolist()
            assert past.times_us(user).tolist() == events.times_us[mine].tolist()
