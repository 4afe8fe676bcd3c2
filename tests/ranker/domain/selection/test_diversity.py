"""How unlike each other the items of slates are, by strength and method."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.arrays import Float32s
from services.ranker.domain.selection.plan import (
    Diversity,
    Exploration,
    Method,
    Pin,
    Plan,
)
from services.ranker.domain.selection.policies import PlackettLuce
from services.ranker.domain.selection.pool import Pool, Vectors
from services.ranker.domain.selection.select import select

STRENGTHS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
METHODS = pytest.mark.parametrize("method", Method)
OWN = 0.01
"""What no other item has of an item, as the DPP's page says."""


def likeness(vectors: Float32s) -> np.ndarray:
    """Return (1 + cosine) / 2 of different items less OWN, and 1 of the same."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1)
    units = exact / np.where(lengths > 0, lengths, 1.0)[:, None]
    alike = (1.0 - OWN) * (1.0 + units @ units.T) / 2.0
    np.fill_diagonal(alike, 1.0)
    return alike


def log_determinant(alike: np.ndarray, items: list[int]) -> float:
    return float(np.linalg.slogdet(alike[np.ix_(items, items)])[1]) if items else 0.0


def pool_of(seed: int, size: int = 60, dimension: int = 8) -> Pool:
    """Return items in a few bunches; those of the best bunch are worth more."""
    rng = np.random.default_rng(seed)
    bunch = rng.integers(0, 6, size)
    vectors = rng.standard_normal((6, dimension))[bunch] + 0.5 * rng.standard_normal(
        (size, dimension)
    )
    utilities = rng.normal(0.0, 1.0, 6)[bunch] + rng.normal(0.0, 0.7, size)
    return Pool(utilities, Vectors.of(vectors.astype(np.float32)))


@given(st.integers(0, 2**32), st.floats(0.01, 0.9), st.integers(1, 20))
def test_each_place_goes_to_the_largest_gain_of_the_determinant(
    seed: int, strength: float, count: int
) -> None:
    """Also with more places than vectors have dimensions: 9 here, with the constant one."""
    pool = pool_of(seed, 20)
    assert pool.vectors is not None
    alike = likeness(pool.vectors.table)
    selection = select(pool, Plan(diversity=Diversity(strength)), count)
    slate = selection.places.tolist()
    power = strength / (1 - strength)
    for place, item in enumerate(slate):
        above = slate[:place]
        worth = {
            one: selection.utilities[one]
            + power * (log_determinant(alike, [*above, one]) - log_determinant(alike, above))
            for one in range(pool.size)
            if one not in above
        }
        # One part in 255 of the most that can be taken.
        assert worth[item] >= max(worth.values()) - power * (1e-4 - np.log(OWN) / 255)


@given(st.integers(0, 2**32), st.floats(0.01, 0.9), st.integers(1, 20))
def test_marginal_relevance_takes_the_cosine_of_the_nearest(
    seed: int, strength: float, count: int
) -> None:
    pool = pool_of(seed, 20)
    assert pool.vectors is not None
    cosines = 2 * likeness(pool.vectors.table) / (1 - OWN) - 1
    selection = select(pool, Plan(diversity=Diversity(strength, Method.MMR)), count)
    slate = selection.places.tolist()
    for place, item in enumerate(slate):
        above = slate[:place]
        worth = {
            one: (1 - strength) * selection.utilities[one]
            - strength * max((cosines[one, other] for other in above), default=0.0)
            for one in range(pool.size)
            if one not in above
        }
        assert worth[item] >= max(worth.values()) - 1.01 * 2 * strength / 255


@METHODS
@pytest.mark.parametrize("chance", [False, True], ids=["best", "Plackett-Luce"])
def test_items_are_less_alike_the_more_it_is_turned_up(method: Method, chance: bool) -> None:
    exploration = Exploration(PlackettLuce(0.5)) if chance else Exploration()
    means = []
    for strength in STRENGTHS:
        plan = Plan(diversity=Diversity(strength, method), exploration=exploration)
        alike = []
        for seed in range(250):
            pool = pool_of(seed)
            assert pool.vectors is not None
            of_all = likeness(pool.vectors.table)
            slate = select(pool, plan, 10, seed).places.tolist()
            alike.append(np.mean([of_all[one, other] for one, other in combinations(slate, 2)]))
        means.append(np.mean(alike))
    assert means == sorted(means, reverse=True)
    assert means[-1] < means[0] - 0.1


@METHODS
def test_the_best_still_comes_first(method: Method) -> None:
    for seed in range(20):
        pool = pool_of(seed)
        for strength in STRENGTHS:
            slate = select(pool, Plan(diversity=Diversity(strength, method)), 5).places
            assert slate[0] == pool.utilities.argmax()


@METHODS
def test_items_of_one_vector_are_in_the_order_of_their_utilities(method: Method) -> None:
    utilities = np.random.default_rng(3).normal(size=30)
    pool = Pool(utilities, Vectors.of(np.ones((30, 2), dtype=np.float32)))
    for strength in STRENGTHS:
        slate = select(pool, Plan(diversity=Diversity(strength, method)), 30).places
        assert slate.tolist() == (-utilities).argsort(kind="stable").tolist()


@METHODS
def test_what_is_pinned_below_counts_too(method: Method) -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, -1]], dtype=np.float32)
    pool = Pool(np.array([1.0, 0.9, 0.8, -5.0]), Vectors.of(vectors))
    pins = (Pin("p", np.array([False, False, False, True]), 1),)
    # The likest to the pinned one is the first, which is the best otherwise.
    assert select(pool, Plan(pins=pins), 3).places.tolist() == [0, 3, 1]
    vectors[3] = (1, 0)
    slate = select(pool, Plan(pins=pins, diversity=Diversity(0.5, method)), 3).places
    assert slate.tolist() == [2, 3, 0] if method is Method.DPP else [2, 3, 1]


def test_without_vectors_it_is_lost() -> None:
    selection = select(Pool(np.zeros(2)), Plan(diversity=Diversity(0.5)), 2)
    assert [*map(tuple, selection.lost)] == [("diversity", "items have no vectors")]
    assert select(Pool(np.zeros(2)), Plan(diversity=Diversity(0.0)), 2).lost == ()
