"""User vectors are made here: exact, and the same on every replica (truths 6, 8, 10)."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import PutVector, UserState
from services.ranker.entries_folder import EntriesFolder
from services.ranker.frame_applier import FrameApplier
from tests.ranker.entries import Told, stretch
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import DIMENSION, manifest
from tests.ranker.replicas import new_lanes

KEY = b"u:1"
IDS = [f"i{n}" for n in range(6)]
VECTOR = st.lists(st.integers(-3, 3).map(float), min_size=DIMENSION, max_size=DIMENSION)
Vectors = dict[str, Sequence[float]]


def factor_of(scale: float) -> list[list[float]]:
    rows: list[list[float]] = (np.eye(DIMENSION) * scale + 0.01).tolist()
    return rows


def vector_of(replica: TenantReplica, state: UserState) -> bytes | None:
    space = replica.spaces[replica.active]
    made = space.user_vector(state, replica.catalogue.listed())
    return None if made is None else made.tobytes()


def anew(replica: TenantReplica, state: UserState) -> bytes | None:
    """Return the vector of a user like this one, who was never encoded."""
    other = UserState(state.sequence, state.recent.copy(), None, state.put)
    return vector_of(replica, other)


def ridge(vectors: Vectors, latest_first: Sequence[str], inverse: np.ndarray) -> np.ndarray:
    """Return the dense solution: the oracle. Items count 1, .8, .64, ..., the latest first."""
    left = np.linalg.inv(inverse)
    right = np.zeros(DIMENSION)
    for place, item_id in enumerate(latest_first):
        own, weight = np.array(vectors[item_id]), 0.8**place
        left += weight * np.outer(own, own)
        right += weight * own
    return np.linalg.solve(left, right)


def lanes() -> tuple[FrameApplier, EntriesFolder]:
    frames, entries = new_lanes()
    changes = Changes(activated=manifest()).factor(factor_of(5.0))
    for place, item_id in enumerate(IDS):
        changes.item(item_id).vector(item_id, [float(place == axis) for axis in range(DIMENSION)])
    asyncio.run(frames.apply([frame(1, changes, sequence=0)]))
    frames.replicas["default"].users.hold(KEY, UserState(0))
    return frames, entries


STEP = st.one_of(
    st.tuples(st.just("event"), st.sampled_from(IDS), st.sampled_from([1.0, 2.0, 0.0, -1.0])),
    st.tuples(st.just("vector"), st.sampled_from(IDS), VECTOR),
    st.tuples(st.just("factor"), st.just(""), st.sampled_from([1.0, 2.0, 5.0])),
    st.tuples(st.just("delete"), st.sampled_from(IDS), st.just(0.0)),
    st.tuples(st.just("list"), st.sampled_from(IDS), st.just(0.0)),
    st.tuples(st.just("hide"), st.sampled_from(IDS), st.just(0.0)),
    st.tuples(st.just("ask"), st.just(""), st.just(0.0)),
)


@given(st.lists(STEP, max_size=25))
def test_a_vector_that_is_kept_is_the_one_that_would_be_made(
    steps: list[tuple[str, str, float | list[float]]],
) -> None:
    frames, entries = lanes()
    replica = frames.replicas["default"]
    version = 1
    for kind, item_id, what in steps:
        state = replica.users.get(KEY)
        assert state is not None
        here = entries.progress.applied.sequence
        changes: Changes | None = None
        match kind, what:
            case "event", float(weight):
                told = Told().event(KEY, item_id, weight, time=float(here))
                asyncio.run(entries.apply([stretch(here, told)]))
            case "hide", _:
                told = Told().item(item_id, listed=False)
                asyncio.run(entries.apply([stretch(here, told)]))
            case "vector", list(values):
                changes = Changes().vector(item_id, values)
            case "factor", float(scale):
                changes = Changes().factor(factor_of(scale))
            case "delete", _:
                changes = Changes(deleted=[item_id])
            case "list", _:
                changes = Changes().item(item_id)
            case _:
                assert vector_of(replica, state) == anew(replica, state)
        if changes is not None:
            version += 1
            # The lane of parameters stays behind: what was hidden by entries stays hidden.
            asyncio.run(frames.apply([frame(version, changes, sequence=0)]))
    state = replica.users.get(KEY)
    assert state is not None
    assert vector_of(replica, state) == anew(replica, state)


def test_it_is_made_again_only_when_something_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, entries = lanes()
    replica = frames.replicas["default"]
    space, state = replica.spaces["g1"], replica.users.get(KEY)
    assert state is not None
    made: list[int] = []
    encoded = space._encoded

    def counted(history: np.ndarray, factor: np.ndarray) -> np.ndarray | None:
        made.append(1)
        return encoded(history, factor)

    monkeypatch.setattr(space, "_encoded", counted)

    def times() -> int:
        made.clear()
        vector_of(replica, state)
        return len(made)

    told = Told().event(KEY, "i0").event(KEY, "i1", time=1.0)
    asyncio.run(entries.apply([stretch(0, told)]))
    assert (times(), times()) == (1, 0)
    # Vectors of others, and other users' events, are nothing to them.
    asyncio.run(frames.apply([frame(2, Changes().vector("i5", [0, 0, 0, 2]), sequence=0)]))
    asyncio.run(entries.apply([stretch(2, Told().event(b"u:2", "i0"))]))
    assert times() == 0
    changes = Changes().vector("i0", [0, 0, 0, 2])
    asyncio.run(frames.apply([frame(3, changes, sequence=0)]))
    assert (times(), times()) == (1, 0)
    asyncio.run(frames.apply([frame(4, Changes().factor(factor_of(2.0)), sequence=0)]))
    assert (times(), times()) == (1, 0)
    asyncio.run(entries.apply([stretch(3, Told().item("i1", listed=False))]))
    assert (times(), times()) == (1, 0)
    asyncio.run(entries.apply([stretch(4, Told().item("i5", listed=False))]))
    assert times() == 0


def test_it_is_the_fold_in_with_the_factor_that_was_published() -> None:
    frames, entries = lanes()
    replica = frames.replicas["default"]
    table: Vectors = {"i0": [1, 2, 0, 0], "i1": [0, 1, 1, 0], "i2": [3, 0, 0, 1]}
    changes = Changes()
    for item_id, vector in table.items():
        changes.vector(item_id, vector)
    asyncio.run(frames.apply([frame(2, changes, sequence=0)]))
    told = Told()
    for second, item_id in enumerate(("i0", "i2", "i1", "i0")):
        told.event(KEY, item_id, time=float(second))
    asyncio.run(entries.apply([stretch(0, told)]))
    state = replica.users.get(KEY)
    assert state is not None
    made = replica.spaces["g1"].user_vector(state, replica.catalogue.listed())
    wanted = ridge(table, ["i0", "i1", "i2"], np.array(factor_of(5.0)))
    assert made == pytest.approx(wanted, abs=2e-3)


def test_one_that_was_set_stands_for_its_generation_alone() -> None:
    frames, entries = lanes()
    replica = frames.replicas["default"]
    told = Told().event(KEY, "i0").vector(KEY, [0, 9, 0, 0], "g1", pinned=True)
    asyncio.run(entries.apply([stretch(0, told)]))
    state = replica.users.get(KEY)
    assert state is not None
    assert vector_of(replica, state) == np.array([0, 9, 0, 0], "<f4").tobytes()
    state.put = PutVector("g2", np.array([0, 9, 0, 0], np.float32), pinned=True)
    encoded = vector_of(replica, state)
    assert encoded == anew(replica, state)
    assert encoded != np.array([0, 9, 0, 0], "<f4").tobytes()
    # Of another dimension than its generation has it cannot be.
    state.put = PutVector("g1", np.ones(DIMENSION + 1, np.float32), pinned=True)
    assert vector_of(replica, state) == encoded


def test_one_of_a_space_that_is_gone_is_not_kept() -> None:
    """Truth 10: the same generation, built again, has a table of its own."""
    frames, entries = lanes()
    replica = frames.replicas["default"]
    asyncio.run(entries.apply([stretch(0, Told().event(KEY, "i0"))]))
    state = replica.users.get(KEY)
    assert state is not None
    first = vector_of(replica, state)
    second = Changes(generation_id="g2", activated=manifest("g2")).vector("i1", [1, 0, 0, 0])
    asyncio.run(frames.apply([frame(2, second, sequence=0)]))
    assert vector_of(replica, UserState(1, state.recent.copy())) is None
    again = Changes(retired=["g1"])
    asyncio.run(frames.apply([frame(3, again, sequence=0)]))
    back = Changes(generation_id="g1", activated=manifest("g1")).vector("i0", [0, 0, 3, 0])
    asyncio.run(frames.apply([frame(4, back, sequence=0)]))
    last = vector_of(replica, state)
    assert last is not None
    assert last != first
    assert np.frombuffer(last, "<f4").argmax() == 2


@given(
    st.lists(st.tuples(st.sampled_from(IDS), VECTOR), max_size=12),
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 3)), min_size=1, max_size=8),
    st.data(),
)
def test_replicas_at_one_version_make_the_same_vector(
    moves: list[tuple[str, list[float]]],
    events: list[tuple[str, int]],
    data: st.DataObject,
) -> None:
    """Truth 6: one folds each frame, one merged frames, one a snapshot of items in another order.

    The last one gets the user's items from profile, in the middle of their events.
    """

    def first() -> Changes:
        changes = Changes(activated=manifest())
        for item_id in IDS:
            changes.item(item_id).vector(item_id, [1.0, 0, 0, 0])
        return changes.factor(factor_of(2.0))

    def moved(part: Sequence[tuple[str, list[float]]], changes: Changes) -> Changes:
        for item_id, values in dict(part).items():
            changes.vector(item_id, values)
        return changes

    told = Told()
    for item_id, second in events:
        told.event(KEY, item_id, time=float(second))
    last = 1 + len(moves)
    single = [frame(1, first(), sequence=0)]
    single += [
        frame(place, moved([move], Changes()), sequence=0) for place, move in enumerate(moves, 2)
    ]
    cut = data.draw(st.integers(0, len(moves)))
    merged = [frame(1 + cut, moved(moves[:cut], first()), sequence=0)]
    merged[0].after_version = 0
    if cut < len(moves):
        rest = frame(last, moved(moves[cut:], Changes()), sequence=0)
        rest.after_version = 1 + cut
        merged.append(rest)
    backwards = Changes(activated=manifest()).factor(factor_of(2.0))
    newest = {item_id: [1.0, 0.0, 0.0, 0.0] for item_id in IDS} | dict(moves)
    for item_id in reversed(IDS):
        backwards.item(item_id)
        backwards.vector(item_id, newest[item_id])
    snapshot = frame(last, backwards, sequence=0)

    found = []
    for way in (single, merged, [snapshot]):
        frames, entries = new_lanes()

        async def fold(frames: FrameApplier = frames, way: Sequence[frame_pb2.Frame] = way) -> None:
            async def chunks() -> AsyncIterator[frame_pb2.Frame]:
                yield way[0]

            await frames.restart(chunks())
            await frames.apply(way[1:])

        asyncio.run(fold())
        replica = frames.replicas["default"]
        assert frames.progress.applied.version == last
        state = UserState(0)
        replica.users.hold(KEY, state)
        if way is not merged:
            # What is made on the way must leave no trace.
            vector_of(replica, state)
        asyncio.run(entries.apply([stretch(0, told)]))
        found.append(vector_of(replica, state))
    assert found[0] == found[1] == found[2]
