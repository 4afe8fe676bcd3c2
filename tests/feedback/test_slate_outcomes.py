"""Joining slates with events: the oracle looks at every pair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.slates.slate_outcomes import (
    SlateEvent,
    SlateOutcomes,
    TooManyOutcomesError,
)

WINDOW_US, EARLY_US = 50, 10
_names = st.sampled_from(["a", "b", "c"])
_users = st.sampled_from([b"u", b"v"])
_items = st.sampled_from(["i", "j", "k"])
_times = st.integers(0, 200)


@given(
    slates=st.lists(
        st.tuples(_times, _names, _users, st.lists(_items, min_size=1, max_size=3, unique=True)),
        max_size=8,
    ),
    events=st.lists(st.tuples(_times, _names, _users, _items), max_size=20),
)
def test_an_event_counts_for_the_slate_it_names_within_the_window(
    slates: list[tuple[int, str, bytes, list[str]]],
    events: list[tuple[int, str, bytes, str]],
) -> None:
    slates = sorted(slates, key=lambda one: one[0])
    events = sorted(events, key=lambda one: one[0])
    outcomes = SlateOutcomes(WINDOW_US, EARLY_US)
    waiting = list(events)
    seen: set[str] = set()
    for at, name, user, items in slates:
        while waiting and waiting[0][0] < at + WINDOW_US:
            time, slate_id, who, item = waiting.pop(0)
            outcomes.add(slate_id, SlateEvent(time, who, item, "click", None, time))
        found = outcomes.take(name, user, items, at)
        if name in seen:
            assert found is None
            continue
        seen.add(name)
        assert found is not None
        assert [(place, one.accepted_at_us, one.item_id) for place, one in found] == [
            (items.index(item), time, item)
            for time, slate_id, who, item in events
            if slate_id == name
            and who == user
            and item in items
            and at - EARLY_US <= time < at + WINDOW_US
        ]


def test_what_is_held_is_bounded() -> None:
    outcomes = SlateOutcomes(WINDOW_US, EARLY_US, most=2)
    for _ in range(2):
        outcomes.add("a", SlateEvent(1, b"u", "i", "click", None, 1))
    with pytest.raises(TooManyOutcomesError):
        outcomes.add("a", SlateEvent(1, b"u", "i", "click", None, 1))
    assert outcomes.take("b", b"u", ["i"], 12) == []
    outcomes.add("a", SlateEvent(13, b"u", "i", "click", None, 13))
