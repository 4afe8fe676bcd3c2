"""What is popular at places of a history, against plain sums over all events."""

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.history_context import PLACES, place, session_items
from services.feedback.learner.model.context_popularity import (
    ContextConfig,
    add_in_contexts,
)
from services.feedback.learner.model.user_table import Histories

COLUMNS = 2 * PLACES
LENGTH = 6
HALF_LIFE = 5.0
_event = st.tuples(
    st.integers(0, 3),
    st.sampled_from([1.0, 2.0, 0.0, -1.0]),
    st.lists(st.integers(0, 4000), max_size=LENGTH),
)


def named_place(items: int) -> int:
    """0, 1..2, 3..6, 7..14, 15..30, 31..62, more."""
    return sum(items >= first for first in (1, 3, 7, 15, 31, 63))


def in_session(gaps: list[int]) -> int:
    """Gaps in seconds from now back: the session ends at the first one above half an hour."""
    length = 0
    while length < len(gaps) and gaps[length] <= 1800:
        length += 1
    return length


@given(st.integers(0, 500))
def test_places_are_as_named(items: int) -> None:
    assert place(np.array([items])).tolist() == [named_place(items)]


@settings(max_examples=60)
@given(st.lists(st.lists(_event, max_size=5), max_size=4))
def test_levels_are_faded_sums(steps: list[list[tuple[int, float, list[int]]]]) -> None:
    now_us = 10**15
    # Wider than it need be: as a table that holds more has it.
    levels = np.full((4, COLUMNS + 3), -np.inf)
    sums: dict[tuple[int, int], float] = defaultdict(float)
    clock = 0
    for step in steps:
        before = Histories(
            np.full((len(step), LENGTH), -1, np.int64),
            np.zeros((len(step), LENGTH), np.float32),
            np.zeros((len(step), LENGTH), np.int64),
        )
        for row, (_, _, gaps) in enumerate(step):
            before.items[row, : len(gaps)] = 9
            before.times_us[row, : len(gaps)] = now_us - 1_000_000 * np.cumsum(gaps)
        cells, new = add_in_contexts(
            levels,
            float(clock),
            np.array([item for item, *_ in step], np.int64),
            np.array([weight for _, weight, _ in step], np.float32),
            before,
            np.full(len(step), now_us),
            ContextConfig(HALF_LIFE),
        )
        levels[np.divmod(cells, COLUMNS + 3)] = new
        for item, weight, gaps in step:
            if weight > 0:
                clock += 1
                mass = weight * 2 ** (clock / HALF_LIFE)
                sums[item, named_place(len(gaps))] += mass
                sums[item, PLACES + named_place(in_session(gaps))] += mass
    for item in range(4):
        for column in range(COLUMNS):
            mass = sums.get((item, column), 0.0)
            expected = math.log2(mass) if mass else -math.inf
            assert levels[item, column] == pytest.approx(expected, rel=1e-9)


def test_an_event_that_comes_late_is_within_the_session() -> None:
    times_us = np.array([[5_000_000_000, 4_000_000_000]])
    assert session_items(times_us, np.ones((1, 2), np.bool_), np.array([0])).tolist() == [2]
