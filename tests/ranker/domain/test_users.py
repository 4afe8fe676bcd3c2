"""User states and their cache: deltas exactly once, whatever the order of answer and frames."""

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.domain.arrays import NO_ORDINALS
from services.ranker.domain.changes import UserChanges
from services.ranker.domain.seen_items import SEEN
from services.ranker.domain.user_cache import UserCache
from services.ranker.domain.user_state import RECENT, UserDelta, UserState

NO_VECTORS = np.empty((0, 0), np.float32)


def delta(version: int, *items: int) -> UserDelta:
    return UserDelta(
        version, np.array([(item, 1.0, 0.0) for item in items], dtype=RECENT), seen_of(items)
    )


def seen_of(items: Iterable[int]) -> np.ndarray:
    return np.array([(item, 0, 0) for item in items], dtype=SEEN)


def seen(state: UserState) -> set[int]:
    return set(state.seen.entries()["item"].tolist())


def changes(user_key: bytes, *items: int) -> UserChanges:
    events = len(items)
    return UserChanges(
        (b"u:other", user_key),
        ("view",),
        np.ones(events, np.int64),
        np.array(items, dtype=np.int64),
        np.zeros(events, np.int64),
        np.ones(events, np.float32),
        np.zeros(events, np.int64),
        "",
        NO_ORDINALS,
        NO_VECTORS,
    )


@given(st.lists(st.lists(st.integers(0, 7000), max_size=40), max_size=30))
def test_state_keeps_the_newest(rounds: list[list[int]]) -> None:
    state = UserState(0)
    events: list[int] = []
    for version, items in enumerate(rounds, 1):
        state.apply(delta(version, *items))
        events += items
    assert state.recent["item"].tolist() == events[-100:]
    assert seen(state) == set(events)


def test_a_delta_the_state_reflects_already_is_skipped() -> None:
    state = UserState(7)
    state.apply(delta(7, 1))
    state.apply(delta(6, 2))
    assert state.recent.size == 0
    state.apply(delta(8, 3))
    assert state.recent["item"].tolist() == [3]


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_a_miss_loses_and_doubles_nothing(asked: int, read: int, answered: int) -> None:
    """Frames 1..10 each bring one event; profile reads somewhere between asking and answering."""
    asked, answered = min(asked, answered), max(asked, answered)
    read = max(read, asked)
    cache, key = UserCache(10), b"u:1"
    nobody = np.arange(100)
    for version in range(1, 11):
        if version == asked + 1:
            cache.expect(key)
        if version == answered + 1:
            items = np.array([(v, 1.0, 0.0) for v in range(1, read + 1)], dtype=RECENT)
            cache.fulfil(key, UserState(read, items, seen_of(range(1, read + 1))))
        cache.fold(version, changes(key, version), nobody)
    if asked == 10:
        cache.expect(key)
    if answered == 10:
        items = np.array([(v, 1.0, 0.0) for v in range(1, read + 1)], dtype=RECENT)
        cache.fulfil(key, UserState(read, items, seen_of(range(1, read + 1))))
    state = cache.get(key)
    assert state is not None
    assert state.recent["item"].tolist() == list(range(1, 11))
    assert seen(state) == set(range(1, 11))


def test_the_least_recently_asked_for_gives_way() -> None:
    cache = UserCache(2)
    for name in (b"a", b"b"):
        cache.expect(name)
        cache.fulfil(name, UserState(1))
    assert cache.get(b"a") is not None
    cache.expect(b"c")
    cache.fulfil(b"c", UserState(1))
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None
    assert len(cache) == 2


def test_an_unknown_user_is_known_by_the_first_event() -> None:
    cache = UserCache(2)
    cache.expect(b"u:1")
    cache.fulfil(b"u:1", UserState(3, unknown=True))
    cache.fold(4, changes(b"u:1", 5), np.arange(10))
    state = cache.get(b"u:1")
    assert state is not None
    assert not state.unknown
    assert seen(state) == {5}


def test_nothing_is_collected_after_abandoning() -> None:
    cache = UserCache(2)
    cache.expect(b"u:1")
    cache.abandon(b"u:1")
    cache.fold(1, changes(b"u:1", 5), np.arange(10))
    assert cache.get(b"u:1") is None
    assert len(cache) == 0
