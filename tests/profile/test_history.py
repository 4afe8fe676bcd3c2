"""The events of a user, packed: what is answered follows from the events alone (truths 2 and 3).

The oracle is the slow and obvious one of `oracle.py`, given plain events.
"""

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harken.profile.v1 import profile_pb2
from services.profile.convert import profile_of
from services.profile.domain.changes import UserEvent
from services.profile.domain.history import History, joined, shortened, without
from services.profile.domain.history_codec import (
    chunk_history,
    chunk_of,
    packed_types,
    records_of,
    tail_history,
    tail_of,
    types_of,
)
from services.profile.store.profile_store import StoredProfile
from tests.profile.oracle import expected_behaviour, expected_seen, stated_behaviour, stated_seen
from tests.profile.script import Happening, Numbered, key, user

TYPES = ["view", "buy", "rating"]
CODES = {name: code for code, name in enumerate(TYPES)}

_happenings = st.builds(
    Happening,
    user=st.just("ann"),
    item=st.sampled_from(["a", "b", "c", "Ünïcode 🎧"]),
    type=st.sampled_from(TYPES),
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    time_us=st.integers(-10, 10) | st.integers(-(10**15), 4 * 10**15),
    weight=st.floats(-2, 5, width=32),
)
_stories = st.lists(_happenings, min_size=1, max_size=40)


def numbered(events: list[Happening]) -> list[Numbered]:
    return list(enumerate(events, 1))


def told(own: list[Numbered]) -> list[UserEvent]:
    return [
        UserEvent(h.item, h.type, np.nan if h.value is None else h.value, h.time_us, h.weight, n)
        for n, h in own
    ]


def parts_of(own: list[Numbered], cuts: list[int], short: bool) -> list[History]:
    """Return events as they are stored after they came in parts: chunks, and a tail."""
    edges = sorted({0, len(own), *(cut % (len(own) + 1) for cut in cuts)})
    parts = []
    for begin, end in itertools.pairwise(edges):
        part = tail_history(records_of(told(own[begin:end]), CODES))
        parts.append(part if end == len(own) else chunk_history(chunk_of(part)))
    if short:
        parts = [chunk_history(chunk_of(shortened(joined(parts))))]
    return parts


def answered(parts: list[History], *paths: str) -> profile_pb2.Profile:
    stored = StoredProfile(key("ann"), [], None, joined(parts), TYPES, None)
    return profile_of(user("ann"), stored, {"state", "counters", *paths}, {})


def check(parts: list[History], own: list[Numbered]) -> None:
    assert stated_behaviour(answered(parts, "seen_item_ids")) == expected_behaviour(
        [h for _, h in own]
    )
    assert stated_seen(answered(parts, "seen")) == expected_seen(own)


@given(_stories, st.lists(st.integers(0, 60), max_size=4), st.sampled_from([1, 4]), st.booleans())
def test_what_is_packed_answers_as_the_events(
    events: list[Happening], cuts: list[int], times: int, short: bool
) -> None:
    """Late events, items again and again, more than are answered; in any parts."""
    own = numbered(events * times)
    check(parts_of(own, cuts, short), own)


@given(_stories, st.lists(st.integers(0, 60), max_size=4), st.data())
def test_what_was_taken_back_had_never_been(
    events: list[Happening], cuts: list[int], data: st.DataObject
) -> None:
    """Exact: of every event, however old."""
    own = numbered(events)
    parts = parts_of(own, cuts, short=False)
    for _ in range(3):
        gone = data.draw(st.lists(st.sampled_from(own), unique=True))
        own = [one for one in own if one not in gone]
        parts = without(parts, told(gone), CODES)
        # Again: it is not there any more.
        parts = without(parts, told(gone), CODES)
        assert sum(map(len, parts)) == len(own)
        if not own:
            return
        check(parts, own)


@settings(max_examples=25)
@given(st.lists(_happenings, min_size=20, max_size=40), st.sampled_from([3, 10, 15]), st.data())
def test_long_histories_are_short_and_count_on(
    events: list[Happening], times: int, data: st.DataObject
) -> None:
    own = numbered(events * times)
    parts = parts_of(own, [], short=True)
    check(parts, own)
    kinds = {(h.item, h.type, h.weight < 0) for h in events}
    # The earliest, the newest 200, the last of each item, four of each kind, the rest as one.
    assert len(parts[0]) <= 1 + 200 + len({h.item for h in events}) + 5 * len(kinds)
    assert len(shortened(parts[0])) == len(parts[0])
    gone = data.draw(st.lists(st.sampled_from(own), unique=True, max_size=60))
    left = [one for one in own if one not in gone]
    parts = without(parts, told(gone), CODES)
    found = answered(parts, "seen")
    expected = expected_behaviour([h for _, h in left])
    counted: dict[str, Any] = stated_behaviour(found)
    for name in ("recent", "events", "by_type", "distinct"):
        assert counted[name] == expected[name], name
    times_of = {pair[:3]: pair[3] for pair in stated_seen(found)}
    exact = {pair[:3]: pair[3] for pair in expected_seen(left)}
    assert times_of.keys() == exact.keys()
    # It may be too late, never too early.
    assert all(times_of[pair] >= time_us for pair, time_us in exact.items())


@given(_stories)
def test_packed_is_unpacked(events: list[Happening]) -> None:
    history = tail_history(records_of(told(numbered(events)), CODES))
    for again in (tail_history(tail_of(history)), chunk_history(chunk_of(history))):
        assert again.items == history.items
        for name in ("types", "values", "times_us", "weights", "sequences", "together"):
            assert np.array_equal(getattr(again, name), getattr(history, name), equal_nan=True)


@given(
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
)
def test_types_are_unpacked(types: list[str]) -> None:
    assert types_of(packed_types(types)) == types
