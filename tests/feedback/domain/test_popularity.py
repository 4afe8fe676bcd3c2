"""Popularity against the direct sum over all events."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.learner.model.popularity import (
    PopularityConfig,
    add_counts,
    add_events,
    empty_levels,
)

few = settings(max_examples=60)


@few
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4_000), st.sampled_from([0.0, 0.5, 1.0])),
        max_size=30,
    ),
    st.integers(0, 30),
)
def test_popularity_is_the_direct_sum_in_any_order(
    events: list[tuple[int, int, float]], cut: int
) -> None:
    config = PopularityConfig(half_life_s=100.0)
    levels, counts = empty_levels(5), np.zeros(5)
    for part in (events[:cut], events[cut:]):
        item = np.array([e[0] for e in part], np.int64)
        time = np.array([e[1] for e in part], np.int64)
        weight = np.array([e[2] for e in part], np.float64)
        rows, new = add_events(levels, item, time, weight, config)
        levels[rows] = new
        rows, new = add_counts(counts, item, weight)
        counts[rows] = new
    for i in range(5):
        mine = [e for e in events if e[0] == i and e[2] > 0]
        assert counts[i] == len(mine)
        total = sum(w * 2 ** ((t - 4_000) / 100) for _, t, w in mine)
        got = levels[i] - 4_000 / config.half_life_s
        assert got == (pytest.approx(math.log2(total), abs=1e-9) if mine else -math.inf)


def test_popularity_survives_a_century_of_minutes() -> None:
    config = PopularityConfig(half_life_s=60.0)
    levels = empty_levels(2)
    rows, new = add_events(levels, np.array([0, 1]), np.array([1, 2]), np.ones(2), config)
    levels[rows] = new
    late = levels - 3.2e9 / config.half_life_s
    assert np.isfinite(late).all()
    assert late[1] > late[0]
