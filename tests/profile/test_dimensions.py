"""Behaviour and interests: what is answered follows from the events alone (truths 2 and 12).

The oracle goes event by event, with dates of the standard library.
"""

import itertools
import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.changes import UserEvent
from services.profile.domain.habits import habits_of
from services.profile.domain.history import History, joined, shortened, without
from services.profile.domain.history_codec import (
    chunk_history,
    chunk_of,
    records_of,
    tail_history,
)
from services.profile.domain.interests import (
    MAX_INTERESTS,
    MAX_ITEMS,
    HalfLives,
    Labels,
    interests_of,
    newest_items,
)

TYPES = ["view", "buy"]
CODES = {name: code for code, name in enumerate(TYPES)}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_US = round(NOW.timestamp()) * 1_000_000
ITEMS = {
    "a": Labels(("space", "space", "new"), ("red",)),
    "b": Labels(("crime",), ()),
    "c": Labels((), ("red", "blue")),
}

_events = st.builds(
    UserEvent,
    item_id=st.sampled_from([*ITEMS, "gone"]),
    type=st.sampled_from(TYPES),
    value=st.just(math.nan) | st.integers(-50, 50).map(float),
    # Around now, by whole minutes: what stands 30 minutes apart is one visit.
    time_us=st.integers(-90 * 1440, 60).map(lambda minutes: NOW_US + minutes * 60_000_000),
    weight=st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
    sequence=st.just(0),
)
_stories = st.lists(_events, min_size=1, max_size=40).map(
    lambda events: [event._replace(sequence=n) for n, event in enumerate(events, 1)]
)


def history(events: list[UserEvent]) -> History:
    return tail_history(records_of(events, CODES))


def moment(event: UserEvent) -> datetime:
    return datetime.fromtimestamp(event.time_us / 1e6, UTC)


@given(_stories)
def test_habits_are_those_of_the_events(events: list[UserEvent]) -> None:
    found = habits_of(history(events), TYPES, NOW_US)
    times = sorted(moment(event) for event in events)
    assert found.active_days == len({time.date() for time in times})
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert found.sessions == 1 + sum(pause > timedelta(minutes=30) for pause in pauses)
    hours = Counter(time.hour for time in times)
    assert found.events_by_hour == [hours[hour] for hour in range(24)]
    weekdays = Counter(time.weekday() for time in times)
    assert found.events_by_weekday == [weekdays[day] for day in range(7)]
    by_type = Counter(event.type for event in events)
    assert [one.type for one in found.types] == sorted(
        by_type, key=lambda name: (-by_type[name], name)
    )
    for one in found.types:
        own = [event for event in events if event.type == one.type]
        assert one.events == len(own)
        assert (one.first_us, one.last_us) == (
            min(event.time_us for event in own), max(event.time_us for event in own),
        )  # fmt: skip
        assert one.active_days == len({moment(event).date() for event in own})
        assert one.events_7_days == sum(NOW - moment(event) < timedelta(7) for event in own)
        assert one.events_30_days == sum(NOW - moment(event) < timedelta(30) for event in own)
        assert one.value_sum == sum(event.value for event in own if not math.isnan(event.value))


@given(_stories, st.integers(0, 2**40), st.integers(1, 6))
def test_values_are_summed_however_many_events_are_put_together(
    events: list[UserEvent], chosen: int, times: int
) -> None:
    """And what is taken back is in no sum any more."""
    events = [
        event._replace(sequence=n)
        for n, event in enumerate([event for event in events for _ in range(times)], 1)
    ]
    stored = chunk_history(chunk_of(shortened(history(events))))
    gone = [event for event in events if chosen >> event.sequence % 40 & 1]
    left = [event for event in events if not chosen >> event.sequence % 40 & 1]
    after = joined(without([stored], gone, CODES))
    if not left:
        assert len(after) == 0
        return
    expected = dict.fromkeys(TYPES, 0.0)
    for event in left:
        expected[event.type] += 0.0 if math.isnan(event.value) else event.value
    for one in habits_of(after, TYPES, NOW_US).types:
        assert one.value_sum == pytest.approx(expected[one.type])
        assert one.events == sum(event.type == one.type for event in left)


@given(_stories, st.floats(0.1, 100), st.floats(0.1, 100))
def test_interests_are_those_of_the_events(
    events: list[UserEvent], short_days: float, long_days: float
) -> None:
    """Shares of sums that halve with age; the evidence beside them."""
    own = history(events)
    assert set(newest_items(own)) == {event.item_id for event in events}
    categories, tags = interests_of(own, ITEMS, NOW_US, HalfLives(short_days, long_days))
    for found, names in ((categories, "categories"), (tags, "tags")):
        sums: dict[str, list[float]] = {}
        for event in events:
            labels = ITEMS.get(event.item_id)
            if labels is None:
                continue
            age = max((NOW_US - event.time_us) / 86_400e6, 0)
            for name in set(getattr(labels, names)):
                total = sums.setdefault(name, [0.0, 0.0, 0, 0])
                if event.weight > 0:
                    total[0] += event.weight * 0.5 ** (age / short_days)
                    total[1] += event.weight * 0.5 ** (age / long_days)
                    total[2] += 1
                total[3] += event.weight < 0
        known = {name: total for name, total in sums.items() if total[2] or total[3]}
        assert {one.name for one in found} == set(known)
        long = sum(total[1] for total in known.values())
        for one in found:
            mine = known[one.name]
            assert (one.events, one.negative_events) == (mine[2], mine[3])
            if long > 1e-200:
                assert one.long_term == pytest.approx(mine[1] / long, abs=1e-9)
        assert [one.long_term for one in found] == sorted(
            (one.long_term for one in found), reverse=True
        )
        for term in ("short_term", "long_term"):
            whole = sum(getattr(one, term) for one in found)
            assert whole == pytest.approx(1) or whole == 0


def test_what_is_decades_ago_still_has_a_share() -> None:
    old = [UserEvent("a", "view", np.nan, 0, 1.0, 1), UserEvent("b", "view", np.nan, 1, 3.0, 2)]
    categories, _ = interests_of(history(old), ITEMS, NOW_US, HalfLives(0.01, 0.01))
    shares = {one.name: one.short_term for one in categories}
    assert shares == pytest.approx({"crime": 0.6, "space": 0.2, "new": 0.2})


def test_there_is_an_end_to_items_and_interests() -> None:
    events = [
        UserEvent(f"i{n}", "view", np.nan, n, 1.0, n) for n in range(1, MAX_ITEMS + 100)
    ]  # fmt: skip
    own = history(events)
    items = newest_items(own)
    assert items == [f"i{n}" for n in range(MAX_ITEMS + 99, 99, -1)]
    labels = {item: Labels((item,), ()) for item in items}
    categories, tags = interests_of(own, labels, NOW_US, HalfLives(2, 60))
    assert len(categories) == MAX_INTERESTS
    assert tags == []
