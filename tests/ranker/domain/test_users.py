"""User states: each entry exactly once, whatever the order of answer and entries (truths 2, 8)."""

import asyncio
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.ranking.recent import RECENT
from services.feed.entries import Entries
from services.ranker.domain.entries_window import EntriesWindow
from services.ranker.domain.seen_items import SEEN
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_cache import UserCache
from services.ranker.domain.user_state import PutVector, UserState
from services.ranker.domain.visibility import Overlays
from services.ranker.entries_folder import EntriesFolder
from tests.ranker.entries import Told, stretch
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.replicas import new_folder, new_lanes

KEY, OTHER = b"u:1", b"u:2"
TYPES = "view", "buy"


def lanes(window: EntriesWindow | None = None) -> tuple[TenantReplica, EntriesFolder]:
    """Return a replica of one tenant without items, and the folder of its entries."""
    frames = new_folder()
    asyncio.run(frames.apply([frame(1, Changes(activated=manifest()).item("x"), sequence=0)]))
    return frames.replicas["default"], EntriesFolder(frames, Overlays(), window=window)


def apply(folder: EntriesFolder, *entries: Entries) -> None:
    asyncio.run(folder.apply(entries))


def items_of(state: UserState, replica: TenantReplica) -> list[str]:
    return [replica.catalogue.item_id(item) for item in state.recent["item"].tolist()]


def seen_of(state: UserState, replica: TenantReplica) -> set[str]:
    return {replica.catalogue.item_id(item) for item in state.seen.entries()["item"].tolist()}


@given(st.lists(st.lists(st.integers(0, 7000), max_size=40), max_size=30))
def test_state_keeps_the_newest(rounds: list[list[int]]) -> None:
    replica, folder = lanes()
    replica.users.hold(KEY, UserState(0))
    events: list[str] = []
    for items in rounds:
        told = Told()
        for item in items:
            told.event(KEY, str(item)).event(OTHER, "another's")
        apply(folder, stretch(folder.progress.applied.sequence, told, length=1))
        events += map(str, items)
    state = replica.users.get(KEY)
    assert state is not None
    assert items_of(state, replica) == events[-100:]
    assert seen_of(state, replica) == set(events)


@given(
    st.integers(0, 3),
    st.lists(
        st.tuples(
            st.sampled_from([KEY, OTHER]),
            st.integers(0, 3),
            st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
            st.integers(0, 5),
            st.sampled_from(TYPES),
        ),
        max_size=130,
    ),
)
def test_events_that_come_alone_do_what_they_do_together(
    known: int, events: list[tuple[bytes, int, float, int, str]]
) -> None:
    """Truth 2; late events take the place of their time."""
    found = []
    for alone in (True, False):
        replica, folder = lanes()
        replica.users.hold(KEY, UserState(known, unknown=True))
        told = Told()
        for user, item, weight, seconds, kind in events:
            told.event(user, str(item), weight, float(seconds), kind)
            if alone:
                apply(folder, stretch(folder.progress.applied.sequence, told))
                told = Told()
        if told.length:
            apply(folder, stretch(0, told))
        state = replica.users.get(KEY)
        assert state is not None
        latest: dict[tuple[int, int], int] = {}
        for item, number, time_us in state.seen.entries().tolist():
            latest[item, number] = max(time_us, latest.get((item, number), 0))
        ids = replica.catalogue.item_ids()
        kinds = {replica.users.kinds.number(*kind): kind for kind in product(TYPES, (False, True))}
        found.append(
            (
                items_of(state, replica),
                state.recent[["weight", "time"]].tolist(),
                {(ids[item], *kinds[number]): at for (item, number), at in latest.items()},
                state.sequence,
                state.unknown,
            )
        )
    assert found[0] == found[1]
    own = [
        (seconds, place, str(item), weight, kind)
        for place, (user, item, weight, seconds, kind) in enumerate(events, 1)
        if user == KEY and place > known
    ]
    newest = sorted(own)[-100:]
    assert found[0][2] == {
        (item, kind, weight < 0): seconds * 1_000_000
        for seconds, _, item, weight, kind in sorted(own)
    }
    assert found[0][0] == [item for _, _, item, _, _ in newest]
    assert found[0][1] == [(weight, float(seconds)) for seconds, _, _, weight, _ in newest]


def test_what_a_state_reflects_already_is_skipped_event_by_event() -> None:
    replica, folder = lanes()
    replica.users.hold(KEY, UserState(2))
    apply(folder, stretch(0, Told().event(KEY, "a").event(KEY, "b").event(KEY, "c")))
    state = replica.users.get(KEY)
    assert state is not None
    assert items_of(state, replica) == ["c"]
    assert state.sequence == 3


@dataclass
class Log:
    """The oracle: a plain log of one user's events, vectors and retractions."""

    stretches: list[Entries] = field(default_factory=list)
    rows: list[tuple[str, int, object]] = field(default_factory=list)

    def state_at(self, sequence: int) -> tuple[list[str], set[str], tuple[float, bool] | None]:
        """Return recent items, seen items and the vector that stands, by replay from nothing."""
        rows = self.rows[:sequence]
        gone = {what for kind, _, what in rows if kind == "retract"}
        events = [
            (place, str(what))
            for place, (kind, _, what) in enumerate(rows, 1)
            if kind == "event" and place not in gone
        ]
        put: tuple[float, bool] | None = None
        for kind, _, what in rows:
            if kind == "put":
                assert isinstance(what, tuple)
                put = what
            # One that was taken back replaced it all the same: the owner says so, too.
            elif kind == "event" and put is not None and not put[1]:
                put = None
        return [item for _, item in events], {item for _, item in events}, put


Step = tuple[str, int]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Draw stretches of a log that events, vectors and retractions of a user are in."""
    log = Log()
    for _ in range(draw(st.integers(1, 14))):
        after = len(log.rows)
        told = Told()
        kind = draw(st.sampled_from(["events", "events", "retract", "nothing"]))
        there = [
            place
            for place, (what, _, _) in enumerate(log.rows, 1)
            if what == "event" and not any(r[0] == "retract" and r[2] == place for r in log.rows)
        ]
        if kind == "retract" and there:
            place = draw(st.sampled_from(there))
            told.retract(place, KEY, str(log.rows[place - 1][2]))
            log.rows.append(("retract", 0, place))
        elif kind == "events":
            for what in draw(st.lists(st.sampled_from(["own", "other", "put"]), max_size=4)):
                if what == "put":
                    put = float(len(log.rows) + 1), draw(st.booleans())
                    told.vector(KEY, [put[0], 0, 0, 0], pinned=put[1])
                    log.rows.append(("put", 0, put))
                elif what == "own":
                    told.event(KEY, f"i{len(log.rows)}")
                    log.rows.append(("event", 0, f"i{len(log.rows)}"))
                else:
                    told.event(OTHER, "another's")
                    log.rows.append(("other", 0, None))
        if len(log.rows) == after:
            log.rows.append(("none", 0, None))
        log.stretches.append(stretch(after, told, length=len(log.rows) - after))
    return log


def answered(log: Log, at: int, replica: TenantReplica) -> UserState:
    """Return the state as profile answers it as of a sequence."""
    items, _, put = log.state_at(at)
    recent = np.zeros(len(items), RECENT)
    recent["item"] = replica.ordinals(items)
    recent["weight"] = 1.0
    seen = np.zeros(len(items), SEEN)
    seen["item"] = recent["item"]
    vector = None
    if put is not None:
        vector = PutVector("g1", np.array([put[0], 0, 0, 0], np.float32), put[1])
    return UserState(at, recent, seen, vector)


@given(logs(), st.data())
def test_an_answer_and_the_window_together_are_the_log(log: Log, data: st.DataObject) -> None:
    """Truth 8: misses at any moment, answered as of any earlier or later one; the oracle replays.

    The window is small, so that it is passed by, and what is taken back leads to a second answer.
    """
    events, seconds = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 20))
    now = [0.0]
    frames, _ = new_lanes()
    asyncio.run(frames.apply([frame(1, Changes(activated=manifest()).item("x"), sequence=0)]))
    replica = frames.replicas["default"]
    folder = EntriesFolder(
        frames, Overlays(), window=EntriesWindow(events, seconds), clock=lambda: now[0]
    )
    last = len(log.rows)
    for one in log.stretches:
        apply(folder, one)
        now[0] += 1
        here = folder.progress.applied.sequence
        if replica.users.get(KEY) is None and data.draw(st.booleans()):
            at = data.draw(st.integers(0, last), label="answered as of")
            for _ in range(len(log.stretches) + 1):
                state = answered(log, at, replica)
                if at < folder.start:
                    least: int | None = folder.margin()
                    assert folder.start <= folder.margin() <= here
                else:
                    least = folder.bring_up(replica, KEY, state)
                if least is None:
                    replica.users.hold(KEY, state)
                    break
                assert at < least <= here
                at = data.draw(st.integers(least, last), label="asked again")
        held = replica.users.get(KEY)
        if held is not None:
            items, seen, put = log.state_at(max(here, held.sequence))
            assert items_of(held, replica) == items
            assert seen_of(held, replica) == seen
            assert put == (None if held.put is None else (held.put.vector[0], held.put.pinned))
        assert folder.start <= here


def test_the_window_is_bounded_by_events_and_by_age() -> None:
    window = EntriesWindow(5, 10.0)
    for second in range(20):
        window.add(stretch(second, Told().event(KEY, "a")), float(second))
        assert len(window) <= 5
    assert window.start == 15
    assert [one.through for one in window.since("default", {KEY}, 17)] == [18, 19, 20]
    window.add(stretch(20, Told().event(OTHER, "a")), 27.5)
    assert window.start == 18
    assert [one.through for one in window.since("default", {KEY}, 18)] == [19, 20]
    assert not window.since("another", {KEY}, 18)
    window.add(stretch(21, length=3), 99.0)
    assert (len(window), window.start) == (0, 21)


def test_a_retraction_lets_go_of_the_user() -> None:
    replica, folder = lanes()
    replica.users.hold(KEY, UserState(0))
    replica.users.hold(OTHER, UserState(0))
    apply(folder, stretch(0, Told().event(KEY, "a").event(OTHER, "a")))
    apply(folder, stretch(2, Told().retract(1, KEY, "a")))
    assert replica.users.get(KEY) is None
    assert replica.users.get(OTHER) is not None
    # An answer that reflects it already stays.
    replica.users.hold(KEY, UserState(9))
    apply(folder, stretch(3, Told().retract(2, KEY, "a")))
    assert replica.users.get(KEY) is not None


@pytest.mark.parametrize("pinned", [False, True])
def test_a_vector_that_was_set_stands_until_the_next_event_unless_pinned(pinned: bool) -> None:
    replica, folder = lanes()
    replica.users.hold(KEY, UserState(0))

    def put() -> float | None:
        state = replica.users.get(KEY)
        assert state is not None
        return None if state.put is None else float(state.put.vector[0])

    apply(folder, stretch(0, Told().event(KEY, "a").vector(KEY, [7, 0, 0, 0], pinned=pinned)))
    assert put() == 7
    apply(folder, stretch(2, Told().event(OTHER, "a")))
    assert put() == 7
    apply(folder, stretch(3, Told().event(KEY, "b")))
    assert put() == (7 if pinned else None)
    apply(folder, stretch(4, Told().vector(KEY, [8, 0, 0, 0]).event(KEY, "b")))
    assert put() is None


def test_the_last_of_vectors_for_two_generations_counts() -> None:
    replica, folder = lanes()
    replica.users.hold(KEY, UserState(0))
    told = Told().vector(KEY, [1, 0, 0, 0], "g2").vector(KEY, [2, 0, 0, 0], "g1")
    apply(folder, stretch(0, told.vector(KEY, [3, 0, 0, 0], "g2")))
    state = replica.users.get(KEY)
    assert state is not None
    assert state.put is not None
    assert (state.put.generation_id, state.put.vector[0]) == ("g2", 3)


def test_the_least_recently_asked_for_gives_way() -> None:
    cache = UserCache(2)
    for name in (b"a", b"b"):
        cache.hold(name, UserState(1))
    assert cache.get(b"a") is not None
    cache.hold(b"c", UserState(1))
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None
    assert len(cache) == 2


def test_an_unknown_user_is_known_by_the_first_event() -> None:
    replica, folder = lanes()
    replica.users.hold(KEY, UserState(3, unknown=True))
    apply(folder, stretch(0, length=3), stretch(3, Told().event(KEY, "5")))
    state = replica.users.get(KEY)
    assert state is not None
    assert not state.unknown
    assert seen_of(state, replica) == {"5"}


def test_what_was_applied_is_forgotten_when_it_is_not_part_of_the_log() -> None:
    """Truth 5."""
    replica, folder = lanes()
    replica.users.hold(KEY, UserState(0))
    apply(folder, stretch(0, Told().event(KEY, "a")))
    asyncio.run(folder.abandon())
    assert replica.users.get(KEY) is None
    assert folder.progress.applied.sequence == 0
    apply(folder, stretch(7, Told().event(KEY, "b"), epoch=2))
    assert folder.start == 7
