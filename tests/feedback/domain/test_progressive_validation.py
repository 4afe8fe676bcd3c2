"""Paired comparison of vectors on events: ranks, the guard's rollback, and verdicts."""

from collections.abc import Iterator

import numpy as np
import pytest

from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.confidence_sequence import NO_CONFIDENCE
from services.feedback.learner.model.entries import (
    Event,
    GenerationActivated,
    GenerationStaged,
    ItemUpserted,
    Kind,
    LogEntry,
    StagedStart,
    TrainedVectors,
)
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.progressive_validation import (
    ComparisonConfig,
    ProgressiveValidation,
)
from services.feedback.learner.model.promotion import Verdict, verdict_of
from services.feedback.learner.model.step import States, step
from services.feedback.learner.model.tenant_state import LearningConfig
from tests.feedback.domain.generation_logs import FIRST, features_of, generation
from tests.feedback.domain.learning import DIMENSION, T0_US

ITEMS = 40
GROUP = 5
CONFIG = LearningConfig(
    comparison=ComparisonConfig(
        validate_one_in=1, guard_one_in=1, min_events=100, max_events=1_500, reference_events=400
    )
)


def test_gains_are_those_of_a_full_sort() -> None:
    chance = np.random.default_rng(1)
    vectors = chance.integers(-2, 3, (30, 3)).astype(np.float32)
    biases = chance.integers(-1, 2, 30).astype(np.float32)
    users = chance.integers(-2, 3, (50, 3)).astype(np.float32)
    items = chance.integers(0, 30, 50)
    negatives = chance.integers(0, 30, (50, 9))
    counted = chance.random((50, 9)) < 0.8
    counted &= negatives != items[:, None]
    gains = ProgressiveValidation(items, negatives, counted).gains(users, vectors, biases)
    for row in range(50):
        scores = vectors @ users[row] + biases
        others = scores[negatives[row][counted[row]]]
        mine = scores[items[row]]
        # The mean place of all orders of equal scores.
        rank = 1 + np.sum(others > mine) + np.sum(others == mine) / 2
        assert gains[row] == pytest.approx(1 / np.log2(1 + rank))


class World:
    """Users who stay within groups of items; vectors that know the groups, or do not."""

    def __init__(self, config: LearningConfig = CONFIG) -> None:
        self.config = config
        self.states: States = {}
        self.version = 0
        self.sequence = 0
        self.chance = np.random.default_rng(7)

    def take(self, *kinds: Kind) -> list[Changes]:
        self.version += 1
        entries = []
        for kind in kinds:
            self.sequence += 1
            entries.append(LogEntry(self.sequence, "a", T0_US + self.sequence, kind))
        return step(self.states, entries, self.config, self.version)

    def begin(self) -> None:
        self.take(generation("a", FIRST), *(self.item(number) for number in range(ITEMS)))

    def item(self, number: int) -> ItemUpserted:
        payload = f"i{number}/toy".encode()
        return ItemUpserted(f"i{number}", payload, features_of(payload))

    def events(self, count: int) -> Iterator[Event]:
        for _ in range(count):
            user = int(self.chance.integers(60))
            item = user % (ITEMS // GROUP) * GROUP + int(self.chance.integers(GROUP))
            self.sequence += 1
            time_us = T0_US + self.sequence * 1_000_000
            yield Event(f"u{user}".encode(), f"i{item}", "view", float("nan"), time_us, 1.0)

    def live(self, steps: int, size: int = 20) -> Iterator[list[Changes]]:
        for _ in range(steps):
            yield self.take(*self.events(size))

    def stage(self, name: str, vectors: np.ndarray) -> None:
        trained = TrainedVectors(
            {f"i{number}": number for number in range(ITEMS)},
            vectors.astype(np.float32),
            np.zeros(ITEMS, np.float32),
        )
        first = generation("a", FIRST)
        other = GenerationActivated(
            name, b"", first.tower, DIMENSION, first.max_norm, first.content_buckets,
            first.length, first.decay, first.alpha, first.regularization,
        )  # fmt: skip
        self.take(GenerationStaged(other, StagedStart(features_of, trained), now=False))

    def verdict(self) -> Verdict | None:
        return verdict_of(self.states["a"], T0_US + self.sequence)


def grouped() -> np.ndarray:
    """One direction per group: what anybody who knows the world would say."""
    directions = np.linalg.qr(np.random.default_rng(8).normal(size=(DIMENSION, DIMENSION)))[0]
    return directions[np.arange(ITEMS) // GROUP]


def first_verdict(world: World, steps: int) -> Verdict | None:
    for _ in world.live(steps):
        verdict = world.verdict()
        if verdict is not None:
            return verdict
    return None


def test_a_better_generation_is_to_serve() -> None:
    world = World()
    world.begin()
    world.stage("good", grouped())
    verdict = first_verdict(world, 80)
    assert verdict is not None
    assert verdict.serves
    assert verdict.generation_id == "good"
    assert world.states["a"].spaces["good"].status.validation.count >= 100


def test_a_shuffled_generation_is_never_to_serve() -> None:
    world = World(LearningConfig(ItemStepConfig(eta=0.0), comparison=CONFIG.comparison))
    world.begin()
    world.stage("good", grouped())
    assert first_verdict(world, 80) is not None
    world.take(world.states["a"].spaces["good"].generation)
    assert world.states["a"].active == "good"
    world.stage("shuffled", grouped()[np.random.default_rng(9).permutation(ITEMS)])
    verdict = first_verdict(world, 200)
    assert verdict is not None
    assert not verdict.serves
    assert verdict.reason.startswith("worse")


def test_one_that_is_just_as_good_is_given_up() -> None:
    world = World(LearningConfig(ItemStepConfig(eta=0.0), comparison=CONFIG.comparison))
    world.begin()
    start = world.states["a"].space.vectors[:ITEMS].copy()
    world.stage("same", start)
    verdict = first_verdict(world, 120)
    assert verdict is not None
    assert not verdict.serves
    assert "not better" in verdict.reason
    assert world.states["a"].spaces["same"].status.validation.count >= 1_500


def test_a_standby_is_kept_for_its_time() -> None:
    world = World()
    world.begin()
    world.stage("good", grouped())
    list(world.live(2))
    world.take(world.states["a"].spaces["good"].generation)
    state = world.states["a"]
    since = state.spaces[FIRST].status.since_us
    assert verdict_of(state, since + 3_600_000_000) is None
    late = verdict_of(state, since + 3_600_000_001)
    assert late is not None
    assert (late.generation_id, late.serves) == (FIRST, False)


def test_poisoned_updates_go_back_to_the_reference() -> None:
    """Steps the wrong way unlearn what a trained generation knew: the guard sees it."""
    poison = LearningConfig(ItemStepConfig(eta=-0.05, pull=0.0), comparison=CONFIG.comparison)
    world = World(poison)
    world.begin()
    world.stage("good", grouped())
    list(world.live(2))
    world.take(world.states["a"].spaces["good"].generation)
    state = world.states["a"]
    was = {world.version: state.space.vectors[:ITEMS].copy()}
    tripped = None
    for changes in world.live(150):
        tripped = next((one.rollback for one in changes if one.rollback is not None), None)
        if tripped is not None:
            break
        was[world.version] = state.space.vectors[:ITEMS].copy()
    assert tripped is not None
    assert (tripped.generation_id, tripped.count) == ("good", 1)
    assert tripped.to_version < world.version - 1
    # So few items go back in the very same step.
    assert np.array_equal(state.space.vectors[:ITEMS], was[tripped.to_version])
    assert not np.array_equal(state.space.vectors[:ITEMS], was[world.version - 1])
    assert state.space.status.rolling_back_since == 0
    assert state.space.status.guard == NO_CONFIDENCE


def test_learning_that_helps_is_not_taken_back_and_moves_the_reference() -> None:
    world = World()
    world.begin()
    versions = set()
    for changes in world.live(150):
        assert all(one.rollback is None for one in changes)
        versions.add(world.states["a"].space.status.reference_version)
    assert len(versions) > 1
