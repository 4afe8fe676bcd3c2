"""State = checkpoint + fold of frames, and replay gives the same bits (truth 4)."""

from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2
from services.feed.progress import Applied
from services.feedback.learner.frame_conversion import changes_of, frame_of
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.checkpoint import checkpoint
from services.feedback.learner.model.entries import LogEntry, Nothing
from services.feedback.learner.model.fold import fold
from services.feedback.learner.model.step import States, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig
from tests.feedback.domain.learning import (
    FILES,
    T0_US,
    TIGHT,
    activated,
    bits,
    digest,
    logs,
    slates_of,
)

CONFIG = LearningConfig(daily_events=4, allowance=TIGHT)
SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.data_too_large])


def through_wire(changes: Sequence, states: States) -> frame_pb2.Frame:
    """Send changes over the wire as a frame, catalogue payloads aside (they are opaque here)."""
    frame = frame_of(changes, Applied(), Applied(1, 1, 1), 0)
    return frame_pb2.Frame.FromString(frame.SerializeToString())


Step = tuple[list[Changes], Sequence[LogEntry]]
"""What a step changed, and the entries that it took."""


def learn(
    states: States, log: Sequence[LogEntry], cuts: Sequence[int], first: int = 1
) -> list[Step]:
    """Learn a log in steps that end where the cuts say, or earlier; return the changes.

    `first`: version that the first step leads to.
    """
    done = 0
    all_changes: list[Step] = []
    ends = [*sorted(cut for cut in cuts if 0 < cut < len(log)), len(log)]
    while done < len(log):
        end = next(end for end in ends if end > done)
        end = done + step_length(log[done:end])
        own = log[done:end]
        all_changes.append((step(states, own, CONFIG, version=first + len(all_changes)), own))
        done = end
    return all_changes


@SLOW
@given(logs(), st.lists(st.integers(1, 70), max_size=8))
def test_folding_what_steps_changed_gives_the_state_bit_by_bit(
    log: list[LogEntry], cuts: list[int]
) -> None:
    log = activated(log)
    live: States = {}
    folded: States = {}
    for changes, own in learn(live, log, cuts):
        fold(folded, changes, CONFIG, own, own[-1].accepted_at_us)
    assert bits(folded) == bits(live)


@SLOW
@given(logs(), st.lists(st.integers(1, 70), max_size=8), st.integers(0, 20))
def test_a_checkpoint_and_the_frames_after_it_give_the_state(
    log: list[LogEntry], cuts: list[int], at: int
) -> None:
    log = activated(log)
    live: States = {}
    steps = learn(live, log, cuts)
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
@given(logs(), st.lists(st.integers(1, 70), max_size=8), st.integers(0, 20))
def test_replaying_the_log_with_the_recorded_boundaries_gives_the_same_bits(
    log: list[LogEntry], cuts: list[int], at: int
) -> None:
    log = activated(log)
    live: States = {}
    learn(live, log, cuts)
    replayed: States = {}
    learn(replayed, log, cuts)
    assert bits(replayed) == bits(live)
    # From a checkpoint in the middle, too.
    middle = cuts[at % len(cuts)] if cuts else 0
    half: States = {}
    boundaries: list[int] = []
    done = 0
    ends = [*sorted(cut for cut in cuts if 0 < cut < len(log)), len(log)]
    while done < len(log):
        end = next(end for end in ends if end > done)
        done += step_length(log[done:end])
        boundaries.append(done)
    split = next((boundary for boundary in boundaries if boundary >= middle), len(log))
    taken = learn(half, log[:split], boundaries)
    resumed: States = {}
    for chunk in checkpoint(half):
        fold(resumed, [chunk], CONFIG)
    rest = [boundary - split for boundary in boundaries]
    learn(resumed, log[split:], rest, first=1 + len(taken))
    assert bits(resumed) == bits(live)


@SLOW
@given(logs())
def test_frames_survive_the_wire(log: list[LogEntry]) -> None:
    log = activated(log)
    slates = slates_of(log)
    live: States = {}
    folded: States = {}
    for changes, own in learn(live, log, []):
        for one in changes:
            # The payload of an item is a serialised Item on the wire and opaque to the learner.
            one.upserted = [(item_id, b"") for item_id, _ in one.upserted]
        fold(
            folded,
            changes_of(through_wire(changes, live), FILES, slates),
            CONFIG,
            own,
            own[-1].accepted_at_us,
        )
    for tenant, state in live.items():
        assert digest(folded[tenant]) == digest(state)
        assert np.array_equal(folded[tenant].space.gramian, state.space.gramian)
        assert np.array_equal(folded[tenant].levels, state.levels)
        people = np.arange(len(state.users))
        assert np.array_equal(
            folded[tenant].users.histories(people).items, state.users.histories(people).items
        )
    restored: States = {}
    for chunk in checkpoint(live):
        chunk.upserted = [(item_id, b"") for item_id, _ in chunk.upserted]
        fold(restored, changes_of(through_wire([chunk], live), FILES, slates), CONFIG)
    for state in (*live.values(), *restored.values()):
        state.items.payloads = [b""] * len(state.items)
    assert bits(restored) == bits(live)


@SLOW
@given(logs(), st.lists(st.integers(1, 70), max_size=8))
def test_the_gramian_is_that_of_the_vectors_and_vectors_are_bounded(
    log: list[LogEntry], cuts: list[int]
) -> None:
    log = activated(log)
    live: States = {}
    learn(live, log, cuts)
    for state in live.values():
        vectors = state.space.vectors.astype(np.float64)
        assert np.allclose(state.space.gramian, vectors.T @ vectors, atol=1e-6)
        assert np.linalg.norm(vectors, axis=1).max() <= state.generation.max_norm * (1 + 1e-6)
        gone = ~state.items.exists[: len(state.items)]
        assert not state.space.vectors[: len(state.items)][gone].any()


def test_a_checkpoint_of_a_tenant_without_items_survives_the_wire() -> None:
    log = activated([LogEntry(11, "a", T0_US, Nothing())])
    live: States = {}
    learn(live, log, [])
    restored: States = {}
    for chunk in checkpoint(live):
        fold(restored, changes_of(through_wire([chunk], live), FILES, {}), CONFIG)
    assert bits(restored) == bits(live)
