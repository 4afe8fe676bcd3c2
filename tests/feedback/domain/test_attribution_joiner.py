"""The joiner against a naive reference that looks through lists, and its bounds."""

import gc
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.learner.model.attribution_joiner import (
    AttributionConfig,
    AttributionJoiner,
    JoinerItem,
)
from services.feedback.learner.model.impression import Impression, SlateEvent
from services.feedback.learner.model.pending_slate import PendingSlate
from tests.feedback.domain.slates import OUTCOMES, clicked, shown

SECOND = 1_000_000
CONFIG = AttributionConfig(
    settle_us=3 * SECOND,
    window_us=20 * SECOND,
    early_us=5 * SECOND,
    max_slates=4,
    max_bytes=10**9,
    max_slates_per_user=2,
    max_early=3,
)


@dataclass
class _Held:
    slate: Impression
    at: int
    outcomes: set[tuple[str, str]] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    settled: bool = False


@dataclass
class Naive:
    """What joiner.py says in words, with lists only."""

    held: list[_Held] = field(default_factory=list)
    early: list[tuple[int, SlateEvent]] = field(default_factory=list)
    now: int = 0
    evicted: int = 0
    settled: list[tuple[str, frozenset[tuple[str, str]]]] = field(default_factory=list)
    late: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def settle(self, one: _Held) -> None:
        if not one.settled:
            one.settled = True
            self.settled.append((one.slate.slate_id, frozenset(one.outcomes)))

    def advance(self, at: int) -> None:
        self.now = max(self.now, at)
        for one in [h for h in self.held if h.at + CONFIG.window_us <= self.now]:
            self.settle(one)
            self.held.remove(one)
        # The events of one slate wait together, from the first of them on.
        firsts: dict[str, int] = {}
        for at_us, event in self.early:
            firsts.setdefault(event.slate_id, at_us)
        gone = set()
        for slate_id, first in firsts.items():
            if first + CONFIG.early_us > self.now:
                break
            gone.add(slate_id)
        self.drop(gone)

    def drop(self, slate_ids: set[str]) -> None:
        self.counts["unknown_slate"] += sum(e.slate_id in slate_ids for _, e in self.early)
        self.early = [(at, e) for at, e in self.early if e.slate_id not in slate_ids]

    def add(self, slate: Impression, at: int) -> None:
        if any(h.slate.slate_id == slate.slate_id for h in self.held):
            self.counts["duplicate"] += 1
        elif slate.served_at_us <= self.evicted:
            self.counts["too_late"] += 1
        elif sum(h.slate.user_key == slate.user_key for h in self.held) == 2:
            self.counts["too_many_of_user"] += 1
        else:
            self.counts["slate"] += 1
            one = _Held(slate, max(at, self.now))
            self.held.append(one)
            mine = [e for _, e in self.early if e.slate_id == slate.slate_id]
            self.early = [(t, e) for t, e in self.early if e.slate_id != slate.slate_id]
            for event in mine:
                self.attribute(event, one)
            while len(self.held) > CONFIG.max_slates:
                oldest = self.held.pop(0)
                self.evicted = max(self.evicted, oldest.slate.served_at_us)
                self.counts["evicted"] += 1
                self.settle(oldest)

    def attribute(self, event: SlateEvent, one: _Held) -> None:
        if event.user_key != one.slate.user_key or event.item_id not in one.slate.item_ids:
            self.counts["foreign"] += 1
            return
        self.counts["joined"] += 1
        if event.weight > 0:
            one.taken.add(event.item_id)
        if one.slate.generation_id != OUTCOMES.generation_id:
            return
        names = {"click": {"click"}, "buy": {"click", "buy"}}.get(event.type, set())
        new = {name for name in names if (event.item_id, name) not in one.outcomes}
        one.outcomes |= {(event.item_id, name) for name in names}
        if one.settled and new:
            self.counts["late"] += 1
            self.late.append((one.slate.slate_id, event.item_id, frozenset(new)))

    def take(self, items: list[JoinerItem], now: int) -> None:
        for item in items:
            self.advance(item.accepted_at_us)
            if isinstance(item.kind, Impression):
                self.add(item.kind, item.accepted_at_us)
                continue
            event = item.kind
            assert isinstance(event, SlateEvent)
            found = [h for h in self.held if h.slate.slate_id == event.slate_id]
            if found:
                self.attribute(event, found[0])
            else:
                self.counts["early"] += 1
                self.early.append((item.accepted_at_us, event))
                while len(self.early) > CONFIG.max_early:
                    self.drop({self.early[0][1].slate_id})
        self.advance(now)
        for one in self.held:
            if one.at + CONFIG.settle_us <= self.now:
                self.counts["due"] += not one.settled
                self.settle(one)


_names = st.sampled_from(["s1", "s2", "s3", "s4", "s5", "s6"])
_users = st.sampled_from([b"u:1", b"u:2", b"u:3"])
_slates = st.builds(
    lambda name, user, served, other: shown(
        name, ["a", "b", "c"], user, served_at_us=served, generation_id="old" if other else "g"
    ),
    _names, _users, st.integers(1, 40), st.sampled_from([False, False, False, True]),
)  # fmt: skip
_events = st.builds(
    clicked,
    _names,
    st.sampled_from(["a", "b", "z"]),
    _users,
    st.sampled_from(["click", "buy", "look"]),
    st.sampled_from([1.0, 0.0, -1.0]),
)
_steps = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 4), st.one_of(_slates, _events)), max_size=6),
        st.integers(0, 6),
    ),
    min_size=1,
    max_size=12,
)


def _timed(steps: list) -> list[tuple[list[JoinerItem], int]]:
    now = 1_000 * SECOND
    timed = []
    for drawn, pause in steps:
        items = []
        for wait, kind in drawn:
            now += wait * SECOND
            items.append(JoinerItem(now, kind))
        now += pause * SECOND
        timed.append((items, now))
    return timed


@given(_steps)
def test_joins_as_the_naive_reference_does(steps: list) -> None:
    joiner, naive = AttributionJoiner(CONFIG), Naive()
    settled, late = [], []
    counts: Counter[str] = Counter()
    for items, now in _timed(steps):
        joined = joiner.take(items, now, OUTCOMES)
        # Labels go on changing after a slate has settled: read them now.
        settled += [
            (
                one.slate.slate_id,
                frozenset(
                    (one.slate.item_ids[row], OUTCOMES.names[column])
                    for row, column in np.argwhere(one.labels).tolist()
                ),
            )
            for one in joined.settled
        ]
        late += [
            (
                one.pending.slate.slate_id,
                one.pending.slate.item_ids[one.place],
                frozenset(OUTCOMES.names[column] for column in np.flatnonzero(one.labels)),
            )
            for one in joined.late
        ]
        counts += joined.counts
        naive.take(items, now)
    assert [(one.slate.slate_id, set(_taken(one))) for one in joiner.pending] == [
        (one.slate.slate_id, one.taken) for one in naive.held
    ]
    assert Counter(item.kind for item in joiner.early) == Counter(e for _, e in naive.early)
    for name in ("slate", "duplicate", "too_late", "too_many_of_user", "joined", "foreign",
                 "late", "early", "unknown_slate", "evicted"):  # fmt: skip
        assert counts[name] == naive.counts[name], name
    if not naive.late:
        # A late outcome of one step may belong to a slate that settled within the same step.
        assert settled == naive.settled
    assert {name for name, _ in settled} == {name for name, _ in naive.settled}
    assert late == naive.late


def _taken(one: PendingSlate) -> list[str]:
    return [one.slate.item_ids[row] for row in np.flatnonzero(one.taken)]


@given(_steps)
def test_a_slate_settles_once(steps: list) -> None:
    joiner = AttributionJoiner(CONFIG)
    settled = [
        one for items, now in _timed(steps) for one in joiner.take(items, now, OUTCOMES).settled
    ]
    assert len({id(one) for one in settled}) == len(settled)


def test_memory_is_bounded_in_number_bytes_and_per_user() -> None:
    config = AttributionConfig(max_slates=50, max_bytes=60_000, max_slates_per_user=5, max_early=20)
    joiner = AttributionJoiner(config)
    refused = 0
    for number in range(5_000):
        user = b"u:noisy" if number % 2 else f"u:{number}".encode()
        slate = shown(f"s{number}", [f"i{n}" for n in range(20)], user, served_at_us=number + 1)
        event = clicked(f"nobody's {number}", "i1", user)
        items = [JoinerItem(number, slate), JoinerItem(number, event)]
        joined = joiner.take(items, number, OUTCOMES)
        refused += joined.counts["too_many_of_user"]
        assert len(joiner) <= 50
        assert joiner.held_bytes <= 60_000
        assert len(joiner.early) <= 20
        assert sum(one.slate.user_key == b"u:noisy" for one in joiner.pending) <= 5
    assert refused > 0
    assert joiner.held_bytes == sum(one.slate.size_bytes() for one in joiner.pending)


def test_what_waiting_slates_take_is_no_more_than_they_are_counted_for() -> None:
    joiner = AttributionJoiner(AttributionConfig(max_slates_per_user=10_000))
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2_000):
            items = [f"item-of-some-length-{number}-{place}" for place in range(10)]
            table = np.random.default_rng(number).random((10, 27), np.float32)
            slate = shown(f"slate-{number:030}", items, f"u:{number}".encode(), features=table)
            joiner.take([JoinerItem(number, slate)], number, OUTCOMES)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(joiner) == 2_000
    assert taken < joiner.held_bytes < 2 * taken


def test_a_slate_that_gave_way_does_not_come_again() -> None:
    joiner = AttributionJoiner(AttributionConfig(max_slates=1))
    first = shown("s1", ["a"], served_at_us=5)
    second = shown("s2", ["a"], b"u:2", served_at_us=6)
    joined = joiner.take([JoinerItem(1, first), JoinerItem(2, second)], 2, OUTCOMES)
    assert [one.slate.slate_id for one in joined.settled] == ["s1"]
    again = joiner.take([JoinerItem(3, first)], 3, OUTCOMES)
    assert again.counts["too_late"] == 1
    assert not again.settled
