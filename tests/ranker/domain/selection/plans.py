"""Pools and plans as teams would make them, for Hypothesis."""

import numpy as np
from hypothesis import strategies as st

from services.common.arrays import Bools
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
    Sort,
)
from services.ranker.domain.selection.policies import (
    GREEDY,
    EpsilonMixture,
    PlackettLuce,
    Policy,
    Thompson,
)
from services.ranker.domain.selection.pool import Pool, Vectors

UTILITY = st.floats(-4, 4) | st.sampled_from([float("nan"), 0.0, 1.0, float("inf"), -float("inf")])
SEED = st.integers(0, 2**64 - 1)


@st.composite
def pools(draw: st.DrawFn, largest: int = 14) -> Pool:
    size = draw(st.integers(0, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    vectors = rng.standard_normal((size, 3), dtype=np.float32)
    vectors[rng.random(size) < 0.2] = 0.0
    utilities = np.array(draw(st.lists(UTILITY, min_size=size, max_size=size)), dtype=np.float64)
    return Pool(
        utilities,
        draw(st.sampled_from([Vectors.of(vectors), None])),
        draw(st.sampled_from([rng.random(size) < 0.4, None])),
        draw(st.sampled_from([rng.standard_normal((7, size)), None])),
    )


def masks(size: int) -> st.SearchStrategy[Bools]:
    return st.lists(st.booleans(), min_size=size, max_size=size).map(
        lambda items: np.array(items, dtype=np.bool_)
    )


@st.composite
def caps(draw: st.DrawFn, name: str, size: int) -> Cap:
    values = st.lists(st.integers(-1, 3), max_size=3, unique=True)
    most = draw(st.integers(1, 3))
    used = draw(st.dictionaries(st.integers(-1, 3), st.integers(0, 3), max_size=2))
    if draw(st.booleans()):
        held = draw(st.lists(values, min_size=size, max_size=size))
        codes = np.array([code for one in held for code in one], dtype=np.int32)
        starts = np.concatenate(([0], np.cumsum([len(one) for one in held]))).astype(np.int64)
        return Cap(name, codes, most, starts, used)
    codes = np.array(draw(st.lists(st.integers(-1, 3), min_size=size, max_size=size)), np.int32)
    return Cap(name, codes, most, used=used)


POLICIES: st.SearchStrategy[Policy] = st.one_of(
    st.just(GREEDY),
    st.floats(0, 1).map(EpsilonMixture),
    st.floats(0.05, 10).map(PlackettLuce),
    st.just(Thompson()),
)
EXPLORATIONS = st.builds(Exploration, POLICIES, st.sampled_from([0.0, 0.3]))
DIVERSITIES = st.none() | st.builds(Diversity, st.floats(0, 1), st.sampled_from(Method))


@st.composite
def plans(draw: st.DrawFn, size: int) -> Plan:
    """Return a plan; its rules contradict each other as often as not."""

    def some(what: str, most: int = 2) -> list[str]:
        return [f"{what}-{number}" for number in range(draw(st.integers(0, most)))]

    mask, number = masks(size), st.integers(0, 4)
    numbers = st.lists(st.floats(-3, 3), min_size=size, max_size=size)
    return Plan(
        boosts=tuple(Boost(rule, draw(mask), draw(st.floats(0.01, 10))) for rule in some("boost")),
        pins=tuple(Pin(rule, draw(mask), draw(number)) for rule in some("pin", 3)),
        at_most=tuple(AtMost(rule, draw(mask), draw(number)) for rule in some("most")),
        caps=tuple(draw(caps(rule, size)) for rule in some("cap")),
        at_least=tuple(
            AtLeast(rule, draw(mask), draw(number), draw(st.sampled_from([0.0, 0.3])))
            for rule in some("least")
        ),
        sorts=tuple(
            Sort(rule, np.array(draw(numbers)), draw(mask), draw(st.booleans()))
            for rule in some("sort", draw(st.sampled_from([0, 0, 2])))
        ),
        diversity=draw(DIVERSITIES),
        exploration=draw(EXPLORATIONS),
    )


@st.composite
def pools_and_plans(draw: st.DrawFn) -> tuple[Pool, Plan]:
    pool = draw(pools())
    return pool, draw(plans(pool.size))
