"""Slates of the compiled core are those of NumPy: order, sources, reasons, drops, the log."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.internal.slates.v1 import slate_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.candidate_features import OLDEST_COLUMNS
from services.common.history_context import PLACES
from services.common.ranking.features import FEATURES
from services.common.ranking.recent import RECENT
from services.common.ranking.scorer import Scorer
from services.ranker.domain.compiled_slates import (
    SLOTS_OF_RANK,
    SLOTS_OF_RECOMMEND,
    CompiledSlates,
)
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.generation import Generation
from services.ranker.domain.scorer_head import ScorerHead
from services.ranker.domain.seen_items import SEEN
from services.ranker.domain.seen_rule import ALL_FOREVER, read_rule
from services.ranker.domain.serving_space import ServingSpace
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import PutVector, UserState
from services.ranker.numpy_slates import NumpySlates
from tests.ranker.compiled import core_or_skip
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import DIMENSION, generation, manifest, scorer_model
from tests.ranker.replicas import HALF_LIFE, folded, new_replica

CORE = core_or_skip()
COMPILED = CompiledSlates(CORE)
NUMPY = NumpySlates()
NOW = 1_700_000_000.0
RULE = read_rule({"purchase": "100s", "*": "never", "view": "1s"})
SLOTS = 6


class Weighing:
    """A scorer of several outcomes by weights that make ties unlikely; some rows have no score."""

    affine = None

    def __init__(
        self, outcomes: int, missing: float, seed: int, columns: int = len(FEATURES)
    ) -> None:
        self.features = FEATURES[:columns]
        self.outcomes = tuple(f"outcome-{n}" for n in range(outcomes))
        self._missing = missing
        self._weights = np.random.default_rng(seed).normal(0, 0.3, (columns, outcomes))

    def scores(self, features: np.ndarray) -> np.ndarray:
        scores = (features.astype(np.float64) @ self._weights).astype(np.float32)
        scores[np.random.default_rng(len(features)).random(len(features)) < self._missing] = (
            math.nan
        )
        return scores


class Failing(Weighing):
    """One that fails, as a model may."""

    def scores(self, features: np.ndarray) -> np.ndarray:
        raise RuntimeError("broken")


@dataclass
class World:
    """What a slate is made from."""

    replica: TenantReplica
    serving: Generation
    user: UserState
    count: int
    wanted: ItemFilter
    now: float
    weights: Mapping[str, float]

    def both(self) -> tuple[EncodedSlate, EncodedSlate]:
        asked = (
            self.replica, self.serving, self.user, self.count, self.wanted, self.now, self.weights
        )  # fmt: skip
        return NUMPY.recommend(*asked, logged=True), COMPILED.recommend(*asked, logged=True)


def replica_of(items: int, chance: np.random.Generator) -> TenantReplica:
    changes = Changes(activated=manifest())
    for n in range(items):
        expires = int(NOW + chance.integers(-100, 100)) if chance.random() < 0.1 else None
        title = " ".join(f"w{word}" for word in chance.integers(0, 9, chance.integers(0, 20)))
        categories = [f"c{n % 3}"] * bool(chance.random() < 0.9)
        available = chance.random() < 0.9
        changes.item(f"item-{n}" if n else "é", categories, available, expires, title)
        if chance.random() < 0.9:
            vector = chance.normal(0, 1, DIMENSION)
            changes.vector(f"item-{n}" if n else "é", vector.tolist(), chance.normal())
    if items > 3:
        changes.deleted = ["item-2"]
    replica = folded([frame(1, changes)]).replicas["default"]
    if not items:
        return replica
    some = int(items * chance.random() * SLOTS)
    replica.rules.assign(
        chance.integers(0, items, some),
        chance.integers(0, SLOTS, some),
        chance.integers(0, items, some),
        chance.integers(0, 3, some).astype(np.float32),
    )
    for _ in range(chance.integers(1, 4)):
        popular = chance.permutation(items)[: chance.integers(0, items + 1)]
        # Levels that are equal, and one that is far from all others.
        levels = NOW / HALF_LIFE + np.round(chance.normal(0, 3, popular.size))
        levels[:1] -= 1000 * (chance.random() < 0.2)
        counts = chance.integers(0, 50, popular.size).astype(float)
        replica.popularity.assign(popular, levels, counts)
        replica.popularity.assign_trends(popular, chance.normal(0, 20, popular.size))
        cells = int(popular.size * 2 * chance.random())
        replica.popularity.assign_places(
            chance.integers(0, items, cells),
            chance.integers(0, 2 * PLACES, cells),
            NOW / HALF_LIFE + chance.normal(0, 20, cells),
        )
    return replica


def user_of(
    items: int, events: int, chance: np.random.Generator, replica: TenantReplica
) -> UserState:
    events = events if items else 0
    recent = np.empty(events, RECENT)
    recent["item"] = chance.integers(0, max(1, items), events)
    recent["weight"] = chance.choice([-1.0, 0.0, 1.0, 1.0, 2.0], events)
    # Some at one time, some before a pause.
    recent["time"] = NOW - np.sort(chance.choice([0.0, 1.0, 5.5, 100.0, 9999.0], events))[::-1]
    seen = np.zeros(events, SEEN)
    seen["item"] = recent["item"]
    seen["kind"] = [
        replica.users.kinds.number(str(name), negative=bool(chance.random() < 0.2))
        for name in chance.choice(["view", "purchase", "other"], events)
    ]
    seen["time"] = (recent["time"] * 1e6).astype(np.int64)
    put = None
    if chance.random() < 0.4:
        vector = chance.normal(0, 1, DIMENSION).astype(np.float32)
        put = PutVector(str(chance.choice(["g1", "g1", "old"])), vector, pinned=True)
    return UserState(1, recent, seen, put)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    items = draw(st.sampled_from([0, 1, 2, 3, 10, 70, 70, 300]))
    replica = replica_of(items, chance)
    outcomes = draw(st.integers(1, 3))
    missing = draw(st.sampled_from([0.0, 0.0, 0.2, 1.0]))
    kind = draw(st.sampled_from([Weighing, Weighing, Weighing, Failing]))
    columns = draw(st.integers(OLDEST_COLUMNS, len(FEATURES)))
    scorer = kind(outcomes, missing, draw(st.integers(0, 100)), columns)
    own_weights = draw(st.sampled_from([(), (1.0, -2.0, 0.5)[:outcomes]]))
    serving = Generation("g1", DIMENSION, 10.0, scorer, weights=own_weights)  # type: ignore[arg-type]
    if draw(st.booleans()):
        parameters = chance.normal(0, 0.2, (outcomes, columns + 3))
        replica.head = ScorerHead(draw(st.sampled_from(["g1", "g0"])), parameters)
    events = draw(st.sampled_from([0, 1, 5, 40, 100]))
    every = [f"item-{n}" for n in range(items)]
    wanted = ItemFilter(
        draw(st.sampled_from([(), (), ("c1",), ("c1", "c2"), ("none",)])),
        draw(st.sampled_from([(), (), ("c0",)])),
        tuple(draw(st.sampled_from([[], ["unheard of"], every[::2], [*every, "é"]]))),
        allow_seen=draw(st.booleans()),
        seen_rule=draw(st.sampled_from([ALL_FOREVER, RULE])),
    )
    # Now, and as of another time.
    now = NOW + draw(st.sampled_from([0.0, 0.0, 3600.5, -50.25, 3e9, -6e10]))
    overrides = st.sampled_from([{}, {"outcome-0": -3.0}, {"outcome-1": 2.0, "unknown": 1.0}])
    user = user_of(items, events, chance, replica)
    return World(
        replica, serving, user, draw(st.sampled_from([1, 10, 30, 1000])), wanted, now,
        draw(overrides),
    )  # fmt: skip


def slots_of(slots: bytes) -> list[slate_pb2.Slot]:
    answer = pb.RecommendResponse.FromString(slots)
    # What protobuf writes for the same slots is the same.
    assert answer.SerializeToString() == slots
    return list(answer.slots)


def same(one: EncodedSlate, other: EncodedSlate) -> None:
    expected, found = slots_of(one.slots), slots_of(other.slots)
    same_slots(expected, found)
    assert one.items == other.items == len(found)
    assert one.drops == other.drops
    assert one.degradations == other.degradations


def same_slots(
    expected: list[slate_pb2.Slot], found: list[slate_pb2.Slot], tolerance: float = 1e-6
) -> None:
    assert [slot.item_id for slot in found] == [slot.item_id for slot in expected]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine.score, theirs.score, rtol=tolerance, atol=tolerance)
        assert mine.reason == theirs.reason
        assert mine.HasField("reason")
        assert mine.propensity == theirs.propensity
        assert [(s.source, s.rank) for s in mine.sources] == [
            (s.source, s.rank) for s in theirs.sources
        ]
        np.testing.assert_allclose(
            [s.score for s in mine.sources],
            [s.score for s in theirs.sources],
            rtol=tolerance,
            atol=tolerance,
        )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_slates_are_the_same(world: World) -> None:
    """Truth 9 and the order of slates, on both paths."""
    expected, found = world.both()
    same(expected, found)
    mine = slate_service_pb2.ServedSlate.FromString(found.logged)
    theirs = slate_service_pb2.ServedSlate.FromString(expected.logged)
    assert mine.SerializeToString() == found.logged
    assert mine.item_ids == theirs.item_ids
    for column in ("propensities", "probabilities", "logits", "features"):
        np.testing.assert_allclose(
            np.frombuffer(getattr(mine, column), "<f4"),
            np.frombuffer(getattr(theirs, column), "<f4"),
            rtol=1e-5,
            atol=1e-5,
            err_msg=column,
        )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.data())
def test_ranked_items_are_the_same(world: World, data: st.DataObject) -> None:
    size = world.replica.catalogue.size
    known = [world.replica.catalogue.item_id(n) for n in range(size)]
    asked = data.draw(
        st.lists(st.sampled_from([*known, "unheard of"]), unique=True, min_size=1, max_size=80)
    )
    arguments = (
        world.replica, world.serving, world.user, asked, world.count, world.wanted, world.now,
        world.weights,
    )  # fmt: skip
    expected, unranked = NUMPY.rank(*arguments)
    found, also_unranked = COMPILED.rank(*arguments)
    assert also_unranked == unranked
    theirs = pb.RankResponse.FromString(expected.slots)
    mine = pb.RankResponse.FromString(found.slots)
    assert mine.SerializeToString() == found.slots
    # The library that multiplies rounds otherwise when it is given other rows together.
    same_slots(list(theirs.slots), list(mine.slots), 1e-5)
    assert (expected.items, expected.drops) == (found.items, found.drops)
    assert expected.degradations == found.degradations


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.data())
def test_rank_has_the_order_and_scores_of_recommend(world: World, data: st.DataObject) -> None:
    """To the bit, as both are made by one path."""
    _, slate = world.both()
    slots = slots_of(slate.slots)
    ids = [slot.item_id for slot in slots]
    some = data.draw(st.lists(st.sampled_from(ids or ["nothing"]), unique=True))
    ranked, _ = COMPILED.rank(
        world.replica, world.serving, world.user, some, world.count, world.wanted, world.now,
        world.weights,
    )  # fmt: skip
    expected = pb.RankResponse(slots=[slot for slot in slots if slot.item_id in some])
    assert ranked.slots == expected.SerializeToString()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2, 30, 100]), st.booleans())
def test_users_are_encoded_alike(seed: int, events: int, published: bool) -> None:
    chance = np.random.default_rng(seed)
    items, dimension = 50, 16
    spaces = [ServingSpace(generation("g1", dimension), items, core=core) for core in (None, CORE)]
    vectors = chance.normal(0, 1, (items, dimension)).astype(np.float32)
    held = np.flatnonzero(chance.random(items) < 0.8)
    factor = np.eye(dimension, dtype=np.float32) * np.float32(2)
    user = user_of(items, events, chance, new_replica())
    user.put = None
    made = []
    for space in spaces:
        space.index.assign(held, vectors[held], np.zeros(held.size, np.float32))
        if published:
            # As it comes with a frame: nobody may write to it.
            space.set_factor(np.frombuffer(factor.tobytes(), np.float32).reshape(factor.shape))
        user.encoded = None
        made.append(space.user_vector(user, np.ones(items, np.bool_)))
    expected, found = made
    assert (expected is None) == (found is None)
    if expected is not None and found is not None:
        # Both stop once a thousandth of the residual is left, and rounding may have one of them go
        # on for a step.
        assert np.linalg.norm(found - expected) <= 0.02 * np.linalg.norm(expected)


@pytest.mark.parametrize("known", [True, False])
def test_a_real_model_gives_the_same(known: bool) -> None:
    """NumPy's path runs the model; the compiled one need not where it is known what that does."""
    chance = np.random.default_rng(1)
    replica = replica_of(900, chance)
    outcomes = ("buy", "view")
    scorer = Scorer(scorer_model(outcomes=len(outcomes)), FEATURES, outcomes)
    assert scorer.affine is not None
    if not known:
        scorer.affine = None
    for serving in (generation(), Generation("g1", DIMENSION, 10.0, scorer, weights=(1.0, -0.5))):
        for events in (0, 3, 60):
            user = user_of(900, events, chance, replica)
            same(*World(replica, serving, user, 30, ItemFilter(), NOW, {}).both())


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([0, 1, 2, 300]))
def test_a_matrix_gives_what_numpy_says(seed: int, outcomes: int, rows: int) -> None:
    """Of each row alone, to the bit; what is no number stays none."""
    chance = np.random.default_rng(seed)
    features, weights, offsets = (
        chance.normal(0, 3, shape).astype(np.float32)
        for shape in ((rows, len(FEATURES)), (outcomes, len(FEATURES)), outcomes)
    )
    features[chance.random(features.shape) < 0.001] = chance.choice([math.nan, math.inf])
    found = np.zeros((rows, outcomes), np.float32)
    CORE.SlateDraft.affine(features, weights, offsets, found)
    with np.errstate(invalid="ignore"):
        expected = features.astype(np.float64) @ weights.T + offsets
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    order = chance.permutation(rows)
    again = np.zeros_like(found)
    CORE.SlateDraft.affine(features[order], weights, offsets, again)
    assert again.tobytes() == found[order].tobytes()


def test_popularity_that_changed_since_it_was_sorted_counts() -> None:
    chance = np.random.default_rng(2)
    replica = replica_of(600, chance)
    serving = generation()
    for _ in range(40):
        changed = chance.permutation(600)[: chance.integers(1, 30)]
        levels = NOW / HALF_LIFE + np.round(chance.normal(0, 3, changed.size))
        counts = np.ones(changed.size)
        replica.popularity.assign(changed, levels, counts)
        same(*World(replica, serving, UserState(1), 20, ItemFilter(), NOW, {}).both())


def test_scores_that_are_not_numbers_are_said() -> None:
    replica = replica_of(20, np.random.default_rng(3))
    serving = Generation("g1", DIMENSION, 1.0, Failing(1, 0.0, 0))  # type: ignore[arg-type]
    _, slate = World(replica, serving, UserState(1), 5, ItemFilter(), NOW, {}).both()
    assert slate.degradations == (Degradation.SCORER_NOT_FINITE,)
    assert all(math.isnan(slot.score) for slot in slots_of(slate.slots))


def test_fields_of_answers_have_their_numbers() -> None:
    assert pb.RecommendResponse.SLOTS_FIELD_NUMBER == SLOTS_OF_RECOMMEND
    assert pb.RankResponse.SLOTS_FIELD_NUMBER == SLOTS_OF_RANK
