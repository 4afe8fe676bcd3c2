"""What the compiled core selects is what NumPy selects, with the same chances and words.

Truth 11: so a slate that was made by one can be made again by the other.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.domain.selection.compiled_select import compiled_select
from services.ranker.domain.selection.plan import (
    AtLeast,
    AtMost,
    Boost,
    Cap,
    Diversity,
    Exploration,
    Method,
    Pin,
    Plan,
)
from services.ranker.domain.selection.policies import (
    GREEDY,
    EpsilonMixture,
    PlackettLuce,
    Policy,
)
from services.ranker.domain.selection.pool import Pool, Vectors
from services.ranker.domain.selection.select import select
from tests.ranker.compiled import core_or_skip
from tests.ranker.domain.selection.plans import SEED, pools_and_plans

SELECTOR = core_or_skip().PlaceSelector()


def assert_same(pool: Pool, plan: Plan, count: int, seed: int) -> None:
    theirs = select(pool, plan, count, seed)
    ours = compiled_select(SELECTOR, pool, plan, count, seed)
    assert ours.places.tolist() == theirs.places.tolist()
    assert ours.applied == theirs.applied
    assert ours.lost == theirs.lost
    assert np.array_equal(ours.utilities, theirs.utilities)
    assert ours.unit == theirs.unit
    assert np.array_equal(ours.barred, theirs.barred)
    np.testing.assert_allclose(ours.propensities, theirs.propensities, rtol=0, atol=1e-12)
    assert (ours.lowered is None) == (theirs.lowered is None)
    if ours.lowered is not None:
        assert theirs.lowered is not None
        assert np.array_equal(ours.lowered, theirs.lowered)


@given(pools_and_plans(), st.integers(0, 8), SEED)
def test_small_pools_with_rules_that_contradict_each_other(
    given_: tuple[Pool, Plan], count: int, seed: int
) -> None:
    assert_same(*given_, count, seed)


POLICIES: tuple[Policy, ...] = (GREEDY, EpsilonMixture(0.2), PlackettLuce(0.2), PlackettLuce(3.0))


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 700),
    st.sampled_from([1, 3, 10, 60]),
    st.sampled_from([None, Diversity(0.3), Diversity(1.0), Diversity(0.6, Method.MMR)]),
    st.sampled_from(POLICIES),
)
def test_pools_as_large_as_those_of_slates(
    seed: int, size: int, count: int, diversity: Diversity | None, policy: Policy
) -> None:
    """Rows of a larger table, in any order, some without a vector; several minimums at once."""
    rng = np.random.default_rng(seed)

    def some(share: float) -> np.ndarray:
        return rng.random(size) < share

    table = rng.standard_normal((1000, 40), dtype=np.float32) * np.float32(rng.choice([1e-3, 1, 9]))
    table[rng.random(1000) < 0.05] = 0.0
    held = rng.integers(0, 4, size)
    starts = np.concatenate(([0], np.cumsum(held))).astype(np.int64)
    categories = rng.integers(-1, 9, starts[-1], dtype=np.int32)
    plan = Plan(
        boosts=(Boost("boost", some(0.1), 2.0), Boost("bury", some(0.1), 0.3)),
        pins=(Pin("pin", some(0.05), 2), Pin("pin-2", some(0.05), 0), Pin("late", some(1), 90)),
        at_most=(AtMost("rare", some(0.2), 2), AtMost("none", some(0.1), 0)),
        caps=(
            Cap("owner", rng.integers(-1, 40, size, dtype=np.int32), 1, used={3: 1, 4: 1, 99: 5}),
            Cap("category", categories, 2, starts, {1: 1}),
        ),
        at_least=tuple(AtLeast(f"least-{n}", some(0.1), n) for n in range(int(rng.integers(5)))),
        diversity=diversity,
        exploration=Exploration(policy, float(rng.choice([0.0, 0.1]))),
    )
    vectors = Vectors.of(table)._replace(rows=rng.permutation(1000)[:size])
    pool = Pool(rng.normal(0, 3, size), vectors, some(0.1))
    assert_same(pool, plan, count, seed)


def arguments(**other: Any) -> dict[str, Any]:
    """Return what the core is given for 5 candidates and 2 places."""
    none = np.zeros(5, np.bool_)
    return {
        "utilities": np.zeros(5),
        "boosts": [(none, 1.0)],
        "pins": [(none, 0)],
        "at_most": [(none, 1)],
        "caps": [(np.zeros(5, np.int32), None, 1, {})],
        "at_least": [(none, 1)],
        "method": 1,
        "power": 0.5,
        "vectors": np.ones((7, 3), np.float32),
        "norms": np.ones(7, np.float32),
        "rows": np.arange(5),
        "policy": 2,
        "number": 0.5,
        "fresh": none,
        "fresh_share": 0.1,
        "seed": 7,
        "places": np.empty(2, np.int64),
        "propensities": np.empty(2),
        "logged": np.empty(5, np.float32),
        "levels": np.empty((2, 5), np.uint8),
        "barred": np.empty((2, 1), np.uint8),
    } | other


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("utilities", np.zeros(6)),
        ("utilities", np.zeros(5, np.float32)),
        ("boosts", [(np.zeros(4, np.bool_), 1.0)]),
        ("boosts", [(np.zeros(5, np.bool_),)]),
        ("boosts", ((np.zeros(5, np.bool_), 1.0),)),
        ("pins", [(np.zeros(5, np.bool_), -1)]),
        ("at_most", [(np.zeros(5), 1)]),
        ("caps", [(np.zeros(4, np.int32), None, 1, {})]),
        ("caps", [(np.zeros(4, np.int32), np.array([0, 1, 2, 3, 4, 5]), 1, {})]),
        ("caps", [(np.zeros(5, np.int32), np.array([0, 3, 2, 3, 4, 5]), 1, {})]),
        ("caps", [(np.zeros(5, np.int32), None, 1, [])]),
        ("at_least", [(np.zeros(5, np.bool_), 1, 2)]),
        ("method", 3),
        ("vectors", np.ones((7, 3))),
        ("norms", np.ones(6, np.float32)),
        ("rows", np.array([0, 1, 2, 3, 7])),
        ("rows", np.array([0, 1, 2, 3, -1])),
        ("rows", np.arange(4)),
        ("policy", 3),
        ("fresh", np.zeros(4, np.bool_)),
        ("places", np.empty(6, np.int64)),
        ("propensities", np.empty(3)),
        ("logged", np.empty(4, np.float32)),
        ("levels", np.empty((2, 4), np.uint8)),
        ("barred", np.empty((2, 2), np.uint8)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, wrong: object) -> None:
    SELECTOR.select(**arguments())
    with pytest.raises((ValueError, IndexError, TypeError)):
        SELECTOR.select(**arguments(**{name: wrong}))
