"""Packed events of a user on an item: exact under retraction, and bounded."""

import math
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.frame_changes import UserEvent
from services.profile.domain.seen_events import (
    LONGEST_BYTES,
    Kind,
    SeenItem,
    packed,
    seen_pairs,
    shortened,
    without,
)

CODES = {"view": 1, "hide": 2}
TYPES = {code: name for name, code in CODES.items()}
EVENTS = st.lists(
    st.tuples(st.sampled_from(sorted(CODES)), st.sampled_from([1.0, 0.0, -1.0]), st.integers(0, 9)),
    min_size=1, max_size=40,
)  # fmt: skip


def made(rows: list[tuple[str, float, int]]) -> list[UserEvent]:
    return [
        UserEvent("a", kind, math.nan, time_us, weight, place)
        for place, (kind, weight, time_us) in enumerate(rows, 1)
    ]


def stored(events: list[UserEvent], short: bool = False) -> SeenItem:
    happened = b""
    for event in events:
        happened += packed(event, CODES)
        happened = shortened(happened) if short else happened
    return SeenItem(
        "a", len(events), events[-1].sequence, max(event.time_us for event in events), happened
    )


def times_of(item: SeenItem) -> dict[Kind, int]:
    pairs = seen_pairs([item], TYPES)
    assert pairs.item_ids == ["a"]
    assert pairs.pair_items == [0] * len(pairs.kinds)
    assert pairs.pair_times_us == sorted(pairs.pair_times_us, reverse=True)
    kinds = [pairs.kinds[kind] for kind in pairs.pair_kinds]
    return dict(zip(kinds, pairs.pair_times_us, strict=True))


def latest_times(events: Iterable[UserEvent]) -> dict[Kind, int]:
    """The oracle."""
    latest: dict[Kind, int] = {}
    for event in events:
        kind = (event.type, event.weight < 0)
        latest[kind] = max(latest.get(kind, event.time_us), event.time_us)
    return latest


@given(EVENTS, st.booleans(), st.data())
def test_an_item_is_as_if_what_was_taken_back_had_never_been(
    rows: list[tuple[str, float, int]], short: bool, data: st.DataObject
) -> None:
    """Retraction is exact for seen items; of long histories times may be late."""
    events = made(rows)
    item: SeenItem | None = stored(events, short)
    assert item is not None
    assert times_of(item) == latest_times(events)
    left = list(events)
    for _ in range(data.draw(st.integers(1, 6))):
        gone = data.draw(st.lists(st.sampled_from(left), unique=True, min_size=1, max_size=10))
        left = [event for event in left if event not in gone]
        assert item is not None
        item = without(item, gone, CODES)
        assert (item is None) == (not left)
        if item is None:
            return
        assert item.events == len(left)
        found, expected = times_of(item), latest_times(left)
        assert found.keys() == expected.keys()
        if not short:
            assert found == expected
            assert item.last_sequence == left[-1].sequence
            assert item.last_event_us == max(event.time_us for event in left)
        assert all(found[kind] >= time_us for kind, time_us in expected.items())


@given(EVENTS, st.lists(st.integers(0, 39), max_size=4, unique=True))
def test_four_of_a_kind_can_be_taken_back_exactly_from_a_long_history(
    rows: list[tuple[str, float, int]], places: list[int]
) -> None:
    events = made(rows)
    gone = [events[place] for place in places if place < len(events)]
    left = [event for event in events if event not in gone]
    item = without(stored(events, short=True), gone, CODES)
    if item is not None:
        assert times_of(item) == latest_times(left)


def test_long_histories_are_short() -> None:
    events = [
        UserEvent("a", kind, 0.0, n, weight, n + 1)
        for n in range(5000)
        for kind in CODES
        for weight in (1.0, -1.0)
    ]
    happened = b""
    for event in events:
        happened += packed(event, CODES)
        if len(happened) > LONGEST_BYTES:
            happened = shortened(happened)
            assert len(happened) <= LONGEST_BYTES // 2
    item = SeenItem("a", len(events), 5000, 4999, happened)
    assert times_of(item) == latest_times(events)


@given(EVENTS, st.integers(0, 5))
def test_events_of_an_earlier_release_are_of_a_type_that_is_not_known(
    rows: list[tuple[str, float, int]], earlier: int
) -> None:
    """It counts events, and keeps nothing else; before retractions it did not count them (0)."""
    events = made(rows)
    item = stored(events)
    for stand in {0, item.events + earlier} if earlier else {0}:
        mixed = SeenItem("a", stand, item.last_sequence, item.last_event_us, item.happened)
        assert times_of(mixed) == {**latest_times(events), ("", False): item.last_event_us}
    # Once its events are taken back, what is left is known again.
    old = [UserEvent("a", "view", 0.0, 99, 1.0, 1000 + n) for n in range(earlier)]
    counted = SeenItem("a", item.events + earlier, 2000, 99, item.happened)
    after = without(counted, old, CODES)
    assert after is not None
    assert times_of(after) == latest_times(events)
