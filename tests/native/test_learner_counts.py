"""Rules, popularity, validation and the columns of frames: the compiled core against NumPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.ranking.popularity import COUNT, LEVEL, TREND, Popularity
from services.common.runs import distinct
from services.feedback.learner.model.context_popularity import (
    ContextConfig,
    add_in_contexts,
)
from services.feedback.learner.model.popularity import (
    PopularityConfig,
    add_counts,
    add_events,
)
from services.feedback.learner.model.progressive_validation import ComparisonConfig, contest
from services.feedback.learner.model.sequential_rules import RuleConfig, RuleTable
from services.feedback.learner.model.user_table import Histories

core = pytest.importorskip("harken_native._core", reason="the compiled core is not installed")

many = settings(max_examples=150, deadline=None)
seeds = st.integers(0, 2**32 - 1)
WEIGHTS = np.array([-1, 0, 0.3, 1, 1, 2], np.float32)


def _histories(chance: np.random.Generator, n: int, length: int, rows: int) -> Histories:
    """Latest first, padded at the end."""
    held = chance.integers(0, length + 1, (n, 1)) > np.arange(length)
    items = np.where(held, chance.integers(0, max(rows, 1), (n, length)), -1)
    steps = chance.choice([0, 1_000_000, 1_799_999_999, 1_800_000_000, 1_800_000_001], (n, length))
    times_us = np.where(held, 10**15 - np.cumsum(steps, axis=1), 0)
    return Histories(items, held.astype(np.float32), times_us)


@many
@given(
    seeds,
    st.integers(1, 12),
    st.sampled_from([1, 2, 5, 32, 40]),
    st.integers(1, 6),
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_rules_have_the_same_bits(
    seed: int, rows: int, cap: int, window: int, batches: list[int]
) -> None:
    """Few rows, so that pairs repeat within a batch, and full rows, whose slots are contested."""
    chance = np.random.default_rng(seed)
    reverse, again = chance.choice([0, 0.5, 1], 2).tolist()
    config = RuleConfig(cap, window, reverse, again)
    compiled, numpy = RuleTable(rows, config, core), RuleTable(rows, config)
    for n in batches:
        items = chance.integers(0, rows, n)
        histories = _histories(chance, n, 6, rows).items
        weights = chance.choice(WEIGHTS, n)
        changed = compiled.update_batch(items, histories, weights)
        for one, other in zip(changed, numpy.update_batch(items, histories, weights), strict=True):
            assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())
        assert compiled.cols.tobytes() == numpy.cols.tobytes()
        assert compiled.vals.tobytes() == numpy.vals.tobytes()


def test_rules_of_a_large_batch_have_the_same_bits() -> None:
    """So many pairs that they are sorted by digits, over so many rows that keys take 34 bits."""
    chance = np.random.default_rng(4)
    compiled, numpy = (
        RuleTable(100_000, RuleConfig(cap=8), core),
        RuleTable(100_000, RuleConfig(cap=8)),
    )
    for _ in range(3):
        items = (chance.random(1_000) ** 4 * 100_000).astype(np.int64)
        histories = (chance.random((1_000, 20)) ** 4 * 100_000).astype(np.int64)
        weights = chance.choice(WEIGHTS, 1_000)
        changed = compiled.update_batch(items, histories, weights)
        for one, other in zip(changed, numpy.update_batch(items, histories, weights), strict=True):
            assert one.tobytes() == other.tobytes()
    assert compiled.vals.tobytes() == numpy.vals.tobytes()


@many
@given(seeds, st.integers(1, 8), st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_popularity_is_that_of_numpy(seed: int, rows: int, batches: list[int]) -> None:
    chance = np.random.default_rng(seed)
    time, place = PopularityConfig(), ContextConfig(half_life_events=20.0, trend_events=3.0)
    popular = Popularity(time.half_life_s)
    popular.grow(rows)
    table = popular.table
    for n in batches:
        items, weights = chance.integers(0, rows, n), chance.choice(WEIGHTS, n)
        before = _histories(chance, n, 40, rows)
        times_us = 10**15 + chance.integers(-(10**12), 10**12, n)
        events = float(table[:, COUNT].sum())
        got = core.count_events(
            table, events, items, weights, times_us, before.items, before.times_us,
            time.half_life_s, place.half_life_events, place.trend_events,
        )  # fmt: skip
        rows_touched, new_levels = add_events(table[:, LEVEL], items, times_us / 1e6, weights, time)
        _, new_counts = add_counts(table[:, COUNT], items, weights)
        clock, trend = events + (weights > 0).cumsum(), PopularityConfig(place.trend_events)
        _, new_trends = add_events(table[:, TREND], items, clock, weights, trend)
        cells, place_levels = add_in_contexts(
            table, events, items, weights, before, times_us, place
        )
        assert got[0].tolist() == rows_touched.tolist()
        assert got[2].tolist() == new_counts.tolist()
        assert got[4].tolist() == cells.tolist()
        # Levels are exponents of two: a part in 10^12 of them.
        np.testing.assert_allclose(got[1], new_levels, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(got[3], new_trends, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(got[5], place_levels, rtol=1e-12, atol=1e-9)
        popular.assign(rows_touched, new_levels, new_counts)
        popular.assign_trends(rows_touched, new_trends)
        table.ravel()[cells] = place_levels


@many
@given(seeds, st.integers(0, 30), st.integers(1, 128), st.integers(1, 30), st.integers(1, 64))
def test_gains_are_those_of_numpy(seed: int, n: int, d: int, rows: int, negatives: int) -> None:
    """Of whole numbers, so that scores are exact, and ties are ties on both paths."""
    chance = np.random.default_rng(seed)
    users, vectors = (chance.integers(-2, 3, (m, d)).astype(np.float32) for m in (n, rows))
    biases = chance.integers(-1, 2, rows).astype(np.float32)
    items, exists = chance.integers(0, rows, n), chance.random(rows) < 0.7
    sequences = chance.integers(1, 2**40, n)
    config = ComparisonConfig(negatives=negatives)
    got = core.contest_gains(
        sequences, items, exists, users, vectors, biases, negatives, config.seed
    )
    numpy = contest(sequences, items, exists, config).gains(users, vectors, biases)
    np.testing.assert_allclose(got, numpy, rtol=1e-12)


@many
@given(seeds, st.lists(st.integers(0, 30), max_size=5), st.sampled_from([1, 64, 65, 10**5]))
def test_columns_become_places_in_their_dictionary(seed: int, sizes: list[int], rows: int) -> None:
    chance = np.random.default_rng(seed)
    columns = [chance.integers(0, rows, size) for size in sizes]
    ordinals, places = core.index_ordinals(columns, rows)
    together = np.concatenate([*columns, np.zeros(0, np.int64)])
    assert ordinals.tolist() == distinct(together).tolist()
    for column, place in zip(columns, places, strict=True):
        assert ordinals[place].tolist() == column.tolist()


@many
@given(seeds, st.integers(1, 128))
def test_a_gramian_has_the_bits_that_numpy_gives_it(seed: int, d: int) -> None:
    """Who folds frames makes it again: truth 4."""
    chance = np.random.default_rng(seed)
    numpy = chance.standard_normal((d, d)) * 1000
    compiled = numpy.copy()
    change: Any = chance.standard_normal((d, d)).astype(np.float32)
    core.add_symmetric(compiled, change)
    numpy += (change + change.T) * np.float32(0.5)
    assert compiled.tobytes() == numpy.tobytes()
