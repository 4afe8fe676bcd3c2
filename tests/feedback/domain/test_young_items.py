"""Young items start where items of like content have come to be (docs: young_items.py)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harken.feedback.v1 import item_pb2
from services.common.content_features import Content, content_features, hash_features
from services.feed.parameters import Floats
from services.feed.progress import Applied
from services.feedback.generations.generation_conversion import features_of_payload
from services.feedback.learner.frame_conversion import changes_of, frame_of
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.checkpoint import checkpoint
from services.feedback.learner.model.entries import Event, ItemUpserted, Kind, LogEntry
from services.feedback.learner.model.fold import fold
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.item_table import ItemTable
from services.feedback.learner.model.space_status import Role, SpaceStatus
from services.feedback.learner.model.step import States, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig
from services.feedback.learner.model.vector_space import VectorSpace
from services.feedback.learner.model.young_items import Alike, Moves, YoungConfig, YoungItems
from tests.feedback.domain.learning import DIMENSION, FILES, T0_US, activation, bits

CONFIG = YoungConfig(mature=5, least_mature=2, buckets=32, ridge=0.5, budget_us=1e9)
STEP = ItemStepConfig()
SEQUENCES = np.array([7], np.int64)
GRID = STEP.max_norm / 4_095
"""How far apart values of vectors are that events moved."""


def _features(payload: bytes) -> Mapping[str, float]:
    item_id, _, genre = payload.decode().partition("/")
    return content_features(Content(item_id, categories=(genre,) if genre else ()))


class World:
    """Items with a genre each, their events so far, and where they are."""

    def __init__(self, genres: list[str], counts: list[float], seed: int = 1) -> None:
        self.items = ItemTable()
        for number, genre in enumerate(genres):
            self.items.upsert(f"i{number}", f"i{number}/{genre}".encode())
        size = len(genres)
        self.counts = np.array(counts, np.float64)
        self.levels = np.where(self.counts > 0, np.arange(size, dtype=np.float64), -np.inf)
        self.space = VectorSpace(activation("a"), size, SpaceStatus(Role.ACTIVE))
        chance = np.random.default_rng(seed)
        self.space.vectors[:] = chance.standard_normal((size, DIMENSION)) * 0.3
        self.space.bases[:] = chance.standard_normal((size, DIMENSION)) * 0.1
        self.young = YoungItems(CONFIG, _features)

    def found(self) -> Alike | None:
        return self.young.alike(self.items, self.levels, self.counts, SEQUENCES)

    def moves(self) -> Moves:
        none = np.zeros((0, DIMENSION), np.float32)
        return self.young.with_young(self.space, self.found(), np.zeros(0, np.int64), none, STEP)


def _content(genre: str) -> Floats:
    return hash_features({f"category={genre}": 1.0}, CONFIG.buckets)


GENRES = ["comedy", "crime", "comedy", "crime", "western", "comedy", "crime", ""]
COUNTS = [9.0, 5.0, 30.0, 8.0, 6.0, 1.0, 4.0, 2.0]
YOUNG = [5, 6]


def test_bases_are_those_of_a_ridge_regression_on_mature_items() -> None:
    world = World(GENRES, COUNTS)
    # The same least squares with rows that draw every bucket to zero, by another method.
    mature = [0, 1, 2, 3, 4]
    content = np.stack([_content(GENRES[item]) for item in mature]).astype(np.float64)
    drawn = np.sqrt(CONFIG.ridge) * np.eye(CONFIG.buckets)
    targets = np.concatenate([world.space.vectors[mature], np.zeros((CONFIG.buckets, DIMENSION))])
    expected, *_ = np.linalg.lstsq(np.concatenate([content, drawn]), targets)
    moves = world.moves()
    assert moves.based.tolist() == YOUNG
    wanted = np.stack([_content(GENRES[item]) for item in YOUNG]) @ expected
    np.testing.assert_allclose(moves.bases, wanted, atol=1e-5)


def test_what_an_item_learned_by_itself_stays() -> None:
    world = World(GENRES, COUNTS)
    learned = world.space.vectors[YOUNG] - world.space.bases[YOUNG]
    moves = world.moves()
    assert moves.rows.tolist() == YOUNG
    np.testing.assert_allclose(moves.vectors - moves.bases, learned, atol=GRID)


def test_moves_of_events_are_kept() -> None:
    world = World(GENRES, COUNTS)
    rows, vectors = np.array([0, 5], np.int64), np.full((2, DIMENSION), 0.2, np.float32)
    moves = world.young.with_young(world.space, world.found(), rows, vectors, STEP)
    assert moves.rows.tolist() == [0, 5, 6]
    assert (moves.vectors[0] == 0.2).all()
    change = moves.bases[0] - world.space.bases[5]
    np.testing.assert_allclose(moves.vectors[1], 0.2 + change, atol=GRID)


@pytest.mark.parametrize("kept", ["pinned", "deleted", "without events"])
def test_items_that_are_left_alone(kept: str) -> None:
    world = World(GENRES, COUNTS)
    if kept == "pinned":
        world.space.pinned[6] = True
    elif kept == "deleted":
        world.items.delete("i6")
    else:
        world.counts[6] = 0.0
    assert world.moves().rows.tolist() == [5]


@pytest.mark.parametrize("why", ["trained", "rolling back", "too few", "only ids", "nobody knows"])
def test_spaces_that_are_left_alone(why: str) -> None:
    world = World(GENRES if why != "only ids" else [""] * 8, COUNTS)
    if why == "trained":
        world.space.trained[2] = True
    elif why == "rolling back":
        world.space.status = SpaceStatus(Role.ACTIVE, rolling_back_since=T0_US)
    elif why == "too few":
        world.counts[:4] = 1.0
    elif why == "nobody knows":
        world.young = YoungItems(CONFIG, None)
    assert world.moves().rows.size == 0


def test_content_that_changed_is_read_anew() -> None:
    world = World(GENRES, COUNTS)
    before = world.moves()
    world.items.upsert("i5", b"i5/western")
    after = world.moves()
    assert not np.allclose(before.bases[0], after.bases[0])
    np.testing.assert_array_equal(before.bases[1], after.bases[1])


@given(st.integers(0, 2**31), st.floats(0.1, 50.0))
@settings(max_examples=30)
def test_vectors_and_bases_are_bounded(seed: int, scale: float) -> None:
    world = World(GENRES, COUNTS, seed)
    world.space.vectors[:] *= np.float32(scale)
    moves = world.moves()
    assert (np.linalg.norm(moves.bases, axis=1) <= STEP.max_norm * 1.0001).all()
    assert (np.linalg.norm(moves.vectors, axis=1) <= STEP.max_norm * 1.0001).all()


@given(st.integers(0, 10**12))
@settings(max_examples=20)
def test_it_is_time_as_often_as_the_budget_allows(first: int) -> None:
    """Of steps of one event and a budget of a quarter of the cost, a quarter: by sequences."""
    world = World(GENRES, COUNTS)
    seldom = YoungConfig(
        mature=5, least_mature=2, buckets=4, budget_us=6250.0, budget_of_event_us=0.0
    )

    def due() -> list[bool]:
        young = YoungItems(seldom, _features)
        return [
            young.alike(world.items, world.levels, world.counts, np.array([first + n])) is not None
            for n in range(400)
        ]

    times = due()
    assert due() == times
    assert 55 <= sum(times) <= 145


OFTEN = LearningConfig(
    young=YoungConfig(mature=4, least_mature=2, buckets=16, most_mature=3, most_young=2,
                      budget_us=1e9),
    features_of=features_of_payload,
)  # fmt: skip
TITLES = ["toy", "story", "toy", "story", "heat", "toy", "story"]


def _entries(items: list[int]) -> list[LogEntry]:
    """A log of seven items, of which the first three are mature soon, and of events on them."""
    kinds: list[Kind] = [activation("a")]
    for number, title in enumerate(TITLES):
        payload = item_pb2.Item(item_id=f"i{number}", title=title).SerializeToString()
        kinds.append(ItemUpserted(f"i{number}", payload, features_of_payload(payload)))
    kinds += [
        Event(
            f"u{place % 3}".encode(), f"i{item}", "view", float("nan"), T0_US + place * 10**6, 1.0
        )
        for place, item in enumerate([0, 1, 2] * 4 + [3, 4, 5, 6] * 3 + items)
    ]
    return [LogEntry(number, "a", T0_US + number, kind) for number, kind in enumerate(kinds, 1)]


def _stepwise(
    states: States, log: list[LogEntry], length: int, config: LearningConfig
) -> Iterator[tuple[list[Changes], list[LogEntry]]]:
    done = version = 0
    while done < len(log):
        own = log[done : done + step_length(log[done : done + length])]
        done, version = done + len(own), version + 1
        yield step(states, own, config, version), own


@given(st.lists(st.integers(3, 6), max_size=12), st.integers(1, 8))
@settings(max_examples=30, deadline=None)
def test_frames_and_checkpoints_carry_where_items_start(items: list[int], length: int) -> None:
    """Truth 4: a fold of frames, or a checkpoint, has the state of who learned, bit by bit."""
    live: States = {}
    folded: States = {}
    placed = False
    for changes, own in _stepwise(live, _entries(items), length, OFTEN):
        placed |= any(space.bases is not None for one in changes for space in one.spaces
                      if isinstance(own[0].kind, Event))  # fmt: skip
        fold(folded, changes, OFTEN, own, own[-1].accepted_at_us)
        assert bits(folded) == bits(live)
    assert placed
    restored: States = {}
    for chunk in checkpoint(live):
        wire = frame_of([chunk], Applied(), Applied(1, 1, 1), 0)
        fold(restored, changes_of(wire, FILES, {}), OFTEN)
    assert bits(restored) == bits(live)


def test_where_events_move_nothing_items_stay_where_they_started() -> None:
    config = replace(OFTEN, item_step=ItemStepConfig(eta=0.0))
    moved: States = {}
    still: States = {}
    plain: States = {}
    for states, own in ((moved, OFTEN), (still, config), (plain, LearningConfig())):
        for _ in _stepwise(states, _entries([3, 4, 5, 6, 3, 4]), 1, own):
            pass
    starts = plain["a"].space.bases[:7]
    assert not np.array_equal(moved["a"].space.bases[:7], starts)
    np.testing.assert_array_equal(still["a"].space.bases[:7], starts)


def test_an_upsert_that_changes_no_content_moves_nothing() -> None:
    """Prices and availability come daily: who was placed by content is not sent back by them."""
    states: States = {}
    log = _entries([3, 4, 5, 6] * 4)
    for _ in _stepwise(states, log, 1, OFTEN):
        pass
    space = states["a"].space
    bases, vectors = space.bases[:7].copy(), space.vectors[:7].copy()
    again: list[Kind] = []
    for number, title in enumerate(TITLES):
        item = item_pb2.Item(item_id=f"i{number}", title=title, available=False)
        payload = item.SerializeToString()
        again.append(ItemUpserted(f"i{number}", payload, features_of_payload(payload)))
    more = [LogEntry(log[-1].sequence + n, "a", log[-1].accepted_at_us + n, kind)
            for n, kind in enumerate(again, 1)]  # fmt: skip
    step(states, more, OFTEN, 1000)
    np.testing.assert_array_equal(space.bases[:7], bases)
    np.testing.assert_array_equal(space.vectors[:7], vectors)


def test_content_that_changed_moves_a_placed_item_by_what_the_tower_says() -> None:
    states: States = {}
    log = _entries([3, 4, 5, 6] * 4)
    for _ in _stepwise(states, log, 1, OFTEN):
        pass
    space = states["a"].space
    base, vector = space.bases[2].copy(), space.vectors[2].copy()
    payload = item_pb2.Item(item_id="i2", title="heat").SerializeToString()
    features = features_of_payload(payload)
    held = features_of_payload(states["a"].items.payloads[2])
    before, after = space.tower.vectors([held, features])
    kind = ItemUpserted("i2", payload, features)
    step(states, [LogEntry(log[-1].sequence + 1, "a", log[-1].accepted_at_us + 1, kind)], OFTEN, 99)
    np.testing.assert_allclose(space.bases[2] - base, after - before, atol=1e-5)
    np.testing.assert_allclose(space.vectors[2] - vector, after - before, atol=1e-5)
