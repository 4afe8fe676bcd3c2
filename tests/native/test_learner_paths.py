"""Whole steps with the compiled core and without, and standbys that have the other path."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.feed.progress import Applied
from services.feedback.learner.frame_conversion import frame_of
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.entries import LogEntry
from services.feedback.learner.model.fold import fold
from services.feedback.learner.model.item_step import unit_of
from services.feedback.learner.model.step import States, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig
from tests.feedback.domain.learning import TIGHT, activated, bits, logs

core = pytest.importorskip("harken_native._core", reason="the compiled core is not installed")

NUMPY = LearningConfig(daily_events=4, allowance=TIGHT)
COMPILED = replace(NUMPY, core=core)
UNIT = float(unit_of(NUMPY.item_step.max_norm))
slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
cuts = st.lists(st.integers(1, 70), max_size=8)
configs = st.sampled_from([(COMPILED, NUMPY), (NUMPY, COMPILED)])


def _steps(log: Sequence[LogEntry], ends: Sequence[int]) -> list[Sequence[LogEntry]]:
    steps, done = [], 0
    for end in [*sorted(end for end in ends if 0 < end < len(log)), len(log)]:
        while done < end:
            own = log[done : done + step_length(log[done:end])]
            steps.append(own)
            done += len(own)
    return steps


def _frame(changes: Sequence[Changes]) -> bytes:
    # Payloads of items are opaque here.
    own = [replace(one, upserted=[]) for one in changes]
    return frame_of(own, Applied(), Applied(1, 1, 1), 0).SerializeToString(deterministic=True)


@slow
@given(logs(), cuts, configs)
def test_a_standby_on_the_other_path_has_the_bits_of_the_leader(
    log: list[LogEntry], ends: list[int], configs: tuple[LearningConfig, LearningConfig]
) -> None:
    """Truth 4: parameters are a fold of frames, which carry values; what a fold makes anew (recent
    items, influence, Gramians, when a factor is taken) is equal to the bit on both paths.
    """
    leading, standing_by = configs
    log = activated(log)
    live: States = {}
    standby: States = {}
    for version, own in enumerate(_steps(log, ends), start=1):
        changes = step(live, own, leading, version)
        fold(standby, changes, standing_by, own, own[-1].accepted_at_us)
        assert bits(standby) == bits(live)


@slow
@given(logs(), cuts)
def test_learners_of_one_build_write_the_same_frames(log: list[LogEntry], ends: list[int]) -> None:
    """Truth 4: replaying the log with the recorded step boundaries gives the same bits."""
    log = activated(log)
    one: States = {}
    other: States = {}
    for version, own in enumerate(_steps(log, ends), start=1):
        frames = [_frame(step(states, own, COMPILED, version)) for states in (one, other)]
        assert frames[0] == frames[1]
    assert bits(one) == bits(other)


@slow
@given(logs(), cuts)
def test_a_step_changes_the_same_on_both_paths(log: list[LogEntry], ends: list[int]) -> None:
    """Each step from the same state: what differs in the last digits must not add up here."""
    log = activated(log)
    past: list[tuple[list[Changes], Sequence[LogEntry]]] = []
    compiled: States = {}
    for version, own in enumerate(_steps(log, ends), start=1):
        numpy: States = {}
        for changes, entries in past:
            fold(numpy, changes, NUMPY, entries, entries[-1].accepted_at_us)
        theirs, ours = step(numpy, own, NUMPY, version), step(compiled, own, COMPILED, version)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            _assert_alike(one, other)
        past.append((ours, own))


def _assert_alike(one: Changes, other: Changes) -> None:
    assert one.item_ids == other.item_ids
    assert (one.beyond_influence, one.held) == (other.beyond_influence, other.held)
    assert [part.generation_id for part in one.spaces] == [
        part.generation_id for part in other.spaces
    ]
    for own, reference in zip(one.spaces, other.spaces, strict=True):
        assert (own.vectors is None) == (reference.vectors is None)
        if own.vectors is not None and reference.vectors is not None:
            assert own.vectors.items.tolist() == reference.vectors.items.tolist()
            # Between two multiples of the unit, the last digit decides.
            tolerance = UNIT * 1.001 if own.vectors.learned else 1e-6
            np.testing.assert_allclose(
                own.vectors.vectors, reference.vectors.vectors, rtol=0, atol=tolerance
            )
    if one.rules is not None and other.rules is not None:
        assert one.rules.sources.tolist() == other.rules.sources.tolist()
        assert one.rules.slots.tolist() == other.rules.slots.tolist()
        assert one.rules.targets.tolist() == other.rules.targets.tolist()
        assert one.rules.weights.tobytes() == other.rules.weights.tobytes()
    assert (one.rules is None) == (other.rules is None)
    assert (one.popularity is None) == (other.popularity is None)
    if one.popularity is not None and other.popularity is not None:
        assert one.popularity.counts.tolist() == other.popularity.counts.tolist()
        np.testing.assert_allclose(one.popularity.levels, other.popularity.levels, atol=1e-6)
    if one.context_popularity is not None and other.context_popularity is not None:
        assert one.context_popularity.places.tolist() == other.context_popularity.places.tolist()
        np.testing.assert_allclose(
            one.context_popularity.levels, other.context_popularity.levels, atol=1e-6
        )
    assert (one.users is None) == (other.users is None)
    if one.users is not None and other.users is not None:
        assert one.users.user_keys == other.users.user_keys
        np.testing.assert_allclose(one.users.vectors, other.users.vectors, atol=1e-3)
