"""Several generations at once: state = checkpoint + fold of frames, bit by bit (truths 4, 10)."""

from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2
from services.feed.progress import Applied
from services.feedback.learner.frame_conversion import changes_of, frame_of
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.checkpoint import checkpoint
from services.feedback.learner.model.entries import Event, ItemUpserted, Kind, LogEntry
from services.feedback.learner.model.fold import fold
from services.feedback.learner.model.progressive_validation import ComparisonConfig
from services.feedback.learner.model.space_status import Role
from services.feedback.learner.model.step import States, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig
from tests.feedback.domain.generation_logs import (
    ALL_FILES,
    FIRST,
    OTHER,
    TRAINED,
    Turn,
    drawn_logs,
    features_of,
    generation,
    lifecycle,
    with_generations,
)
from tests.feedback.domain.learning import DIMENSION, T0_US, bits

# Comparisons decide at once and however they come out, and a few items are placed per step, so
# that short logs see all of it.
CONFIG = LearningConfig(
    comparison=ComparisonConfig(
        validate_one_in=1, guard_one_in=2, min_events=3, guard_bound=-2.0, reference_events=2
    ),
    placed_bytes=400,
)
SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.data_too_large])
CUTS = st.one_of(st.just(list(range(1, 90))), st.lists(st.integers(1, 80), max_size=40))
Drawn = tuple[list[LogEntry], list[Turn]]

Step = tuple[list[Changes], Sequence[LogEntry]]
"""What a step changed, and the entries that it took."""


def learn(
    states: States, log: Sequence[LogEntry], cuts: Sequence[int], first: int = 1
) -> list[Step]:
    """Learn in steps that end where the cuts say, or earlier, from version `first` on."""
    done = 0
    steps: list[Step] = []
    ends = [*sorted(cut for cut in cuts if 0 < cut < len(log)), len(log)]
    while done < len(log):
        end = next(end for end in ends if end > done)
        end = done + step_length(log[done:end])
        own = log[done:end]
        steps.append((step(states, own, CONFIG, version=first + len(steps)), own))
        done = end
    return steps


@SLOW
@given(drawn_logs(), CUTS)
def test_folding_gives_the_state_bit_by_bit(drawn: Drawn, cuts: list[int]) -> None:
    live: States = {}
    folded: States = {}
    for changes, own in learn(live, with_generations(*drawn), cuts):
        fold(folded, changes, CONFIG, own, own[-1].accepted_at_us)
        assert all(len(state.spaces) <= 2 for state in folded.values())
    assert bits(folded) == bits(live)


@SLOW
@given(drawn_logs(), CUTS, st.integers(0, 80))
def test_a_checkpoint_and_the_frames_after_it_give_the_state(
    drawn: Drawn, cuts: list[int], at: int
) -> None:
    live: States = {}
    steps = learn(live, with_generations(*drawn), cuts)
    at = min(at, len(steps))
    first: States = {}
    for changes, own in steps[:at]:
        fold(first, changes, CONFIG, own, own[-1].accepted_at_us)
    restored: States = {}
    for chunk in checkpoint(first):
        fold(restored, [chunk], CONFIG)
    assert bits(restored) == bits(first)
    for changes, own in steps[at:]:
        fold(restored, changes, CONFIG, own, own[-1].accepted_at_us)
    assert bits(restored) == bits(live)


@SLOW
@given(drawn_logs(), CUTS, st.integers(0, 80))
def test_learning_goes_on_from_a_checkpoint_with_the_same_bits(
    drawn: Drawn, cuts: list[int], at: int
) -> None:
    log = with_generations(*drawn)
    live: States = {}
    lengths, done = [], 0
    ends = [*sorted(cut for cut in cuts if 0 < cut < len(log)), len(log)]
    while done < len(log):
        end = next(end for end in ends if end > done)
        lengths.append(step_length(log[done:end]))
        done += lengths[-1]
    learn(live, log, cuts)
    at = min(at, len(lengths))
    split = sum(lengths[:at])
    half: States = {}
    learn(half, log[:split], np.cumsum(lengths[:at]).tolist())
    resumed: States = {}
    for chunk in checkpoint(half):
        fold(resumed, [chunk], CONFIG)
    learn(resumed, log[split:], np.cumsum(lengths[at:]).tolist(), first=at + 1)
    assert bits(resumed) == bits(live)


@SLOW
@given(drawn_logs())
def test_frames_survive_the_wire(drawn: Drawn) -> None:
    live: States = {}
    folded: States = {}
    for changes, own in learn(live, with_generations(*drawn), []):
        for one in changes:
            # The payload of an item is a serialised Item on the wire and opaque to the learner.
            one.upserted = [(item_id, b"") for item_id, _ in one.upserted]
        frame = frame_of(changes, Applied(), Applied(1, 1, 1), 0)
        frame = frame_pb2.Frame.FromString(frame.SerializeToString())
        fold(folded, changes_of(frame, ALL_FILES, {}), CONFIG, own, own[-1].accepted_at_us)
    for tenant, state in live.items():
        other = folded[tenant]
        assert other.active == state.active
        assert other.spaces.keys() == state.spaces.keys()
        for name, space in state.spaces.items():
            assert other.spaces[name].status == space.status
            assert np.array_equal(other.spaces[name].vectors, space.vectors)
            assert np.array_equal(other.spaces[name].gramian, space.gramian)
            mine, theirs = space.reference, other.spaces[name].reference
            assert (theirs is None) == (mine is None)
            if mine is not None and theirs is not None:
                assert np.array_equal(theirs.vectors, mine.vectors)


@SLOW
@given(drawn_logs(), CUTS)
def test_spaces_are_sound(drawn: Drawn, cuts: list[int]) -> None:
    """Vectors are bounded, Gramians are those of their vectors, and one generation serves."""
    live: States = {}
    learn(live, with_generations(*drawn), cuts)
    for state in live.values():
        roles = [space.status.role for space in state.spaces.values()]
        assert roles.count(Role.ACTIVE) == 1
        assert state.space.status.role is Role.ACTIVE
        assert state.space.status.built
        count = len(state.items)
        there = state.items.exists[:count]
        for name, space in state.spaces.items():
            for table in (space.live, space.reference):
                if table is None:
                    continue
                wide = table.vectors.astype(np.float64)
                assert np.allclose(table.gramian, wide.T @ wide, atol=1e-6)
                assert np.linalg.norm(wide, axis=1).max() <= space.generation.max_norm * (1 + 1e-6)
                assert not table.vectors[:count][~there].any()
            if space.status.built:
                assert space.bases[:count][there].any(axis=1).all()
            if name == OTHER:
                for ordinal in np.flatnonzero(space.trained[:count] & there).tolist():
                    row = TRAINED.rows[state.items.ids[ordinal]]
                    assert np.array_equal(space.bases[ordinal], TRAINED.vectors[row])
            assert space.dimension in (DIMENSION, 5)


def whole_life(seed: int) -> list[LogEntry]:
    """A busy tenant whose second generation is staged, compared, serves, is guarded, and goes."""
    chance = np.random.default_rng(seed)
    kinds: list[Kind] = [generation("a", FIRST)]
    kinds += [item(number) for number in range(12)]
    for number in range(400):
        if number in LIFE:
            kinds.append(lifecycle("a", *LIFE[number]))
        if number % 37 == 5:
            kinds.append(item(int(chance.integers(24)), "heat"))
        who, what = f"u{chance.integers(6)}".encode(), f"i{chance.integers(12)}"
        weight = float(chance.choice([1.0, 1.0, 0.5, -1.0]))
        time_us = T0_US + number * 1_000_000
        kinds.append(Event(who, what, "view", float("nan"), time_us, weight))
    return [
        LogEntry(sequence, "a", T0_US + sequence, kind) for sequence, kind in enumerate(kinds, 1)
    ]


LIFE = {
    60: ("stage", OTHER), 150: ("stage now", OTHER), 170: ("activate", OTHER),
    240: ("stage", FIRST), 300: ("activate", FIRST), 350: ("retire", OTHER),
}  # fmt: skip


def item(number: int, title: str = "toy") -> ItemUpserted:
    payload = f"i{number}/{title}".encode()
    return ItemUpserted(f"i{number}", payload, features_of(payload))


def test_a_whole_life_folds_and_goes_on_from_any_checkpoint() -> None:
    log = whole_life(1)
    live: States = {}
    folded: States = {}
    chance = np.random.default_rng(2)
    cuts = np.cumsum(chance.integers(1, 6, len(log))).tolist()
    seen: set[str] = set()
    done = version = 0
    while done < len(log):
        end = next(cut for cut in cuts if cut > done)
        end = done + step_length(log[done:end])
        version += 1
        own = log[done:end]
        changes = step(live, own, CONFIG, version)
        done = end
        fold(folded, changes, CONFIG, own, own[-1].accepted_at_us)
        for one in changes:
            seen |= {"flip"} if one.activated is not None else set()
            seen |= {"rollback"} if one.rollback is not None else set()
            seen |= {"retired"} if one.retired else set()
            for part in one.spaces:
                if part.status is not None and part.status.validation.count:
                    seen.add("validated")
                if part.generation_id != one.active and part.vectors is not None:
                    seen.add("learned beside" if part.vectors.learned else "placed beside")
        if version % 10 == 0:
            assert bits(folded) == bits(live)
            restored: States = {}
            for chunk in checkpoint(folded):
                fold(restored, [chunk], CONFIG)
            assert bits(restored) == bits(folded)
            folded = restored
    assert bits(folded) == bits(live)
    assert seen == {
        "flip", "rollback", "retired", "validated", "learned beside", "placed beside"
    }  # fmt: skip
