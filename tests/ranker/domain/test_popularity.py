"""Popularity against a plain sort over all items."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.common.ranking.popularity import Popularity

HALF_LIFE = 3600.0
LEVELS = st.sampled_from([-math.inf, -3.0, 0.0, 0.5, 0.5, 7.25, 1e6])


@given(
    st.integers(1, 300).flatmap(
        lambda size: st.tuples(
            st.just(size),
            st.lists(
                st.lists(
                    st.tuples(st.integers(0, size - 1), LEVELS), unique_by=lambda row: row[0],
                    min_size=1, max_size=120,
                ),
                max_size=8,
            ),
        )
    ),
    st.integers(1, 320),
    st.integers(0, 1 << 30),
)  # fmt: skip
def test_top_is_a_sort_of_all(
    rounds: tuple[int, list[list[tuple[int, float]]]], count: int, seed: int
) -> None:
    size, updates = rounds
    popularity = Popularity(HALF_LIFE)
    popularity.grow(size)
    truth = dict.fromkeys(range(size), -math.inf)
    rng = np.random.default_rng(seed)
    for rows in updates:
        items = np.array([row[0] for row in rows])
        levels = np.array([row[1] for row in rows])
        popularity.assign(items, levels, np.ones(len(rows)))
        truth.update(rows)
        eligible = rng.random(size) < 0.6

        top = popularity.top(eligible, count).tolist()

        ever = [o for o, level in truth.items() if level > -math.inf and eligible[o]]
        assert top == sorted(ever, key=lambda o: (-truth[o], o))[:count]


def test_a_level_fades_by_one_per_half_life() -> None:
    popularity = Popularity(HALF_LIFE)
    popularity.grow(3)
    # Item 1: weight 8 at time 0; item 2: weight 1 two half-lives later.
    levels = np.array([3.0, 0.0 + 2.0])
    popularity.assign(np.array([1, 2]), levels, np.array([4.0, 1.0]))
    now = 2 * HALF_LIFE
    assert popularity.levels(np.array([1, 2, 0]), now).tolist() == [1.0, 0.0, -math.inf]
    assert popularity.counts(np.array([1, 2, 0])).tolist() == [4.0, 1.0, 0.0]
