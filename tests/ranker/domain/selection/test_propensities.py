"""Propensities are those of the slate as shown, and can be computed again from what is logged.

Truth 11.
"""

from collections import Counter
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.domain.selection.plan import Exploration, Plan
from services.ranker.domain.selection.policies import EpsilonMixture, PlackettLuce, Policy, Thompson
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.select import select
from services.ranker.domain.selection.uniforms import uniforms
from tests.ranker.domain.selection.enumeration import p_value, slates
from tests.ranker.domain.selection.logged import propensities_of
from tests.ranker.domain.selection.plans import SEED, pools_and_plans
from tests.ranker.domain.selection.scenarios import SCENARIOS, Scenario

DRAWS = 4000


def named(policy: Policy) -> tuple[str, float]:
    match policy:
        case EpsilonMixture(epsilon):
            return "epsilon", epsilon
        case PlackettLuce(temperature):
            return "plackett_luce", temperature
        case Thompson():
            return "thompson", 0.0
    return "greedy", 0.0


@given(pools_and_plans(), st.integers(0, 8), SEED)
def test_propensities_follow_from_what_is_logged(
    given_: tuple[Pool, Plan], count: int, seed: int
) -> None:
    pool, plan = given_
    selection = select(pool, plan, count, seed)
    exploration = plan.exploration
    if "exploration" in [one.rule for one in selection.lost] or plan.sorts:
        # Without chance; and what a sort moved was not decided where it stands.
        assert selection.propensities.tolist() == [1.0] * len(selection.places)
        exploration = Exploration()
    if plan.sorts:
        return
    above = pool.deviations
    again = propensities_of(
        selection.utilities.tolist(),
        None if selection.lowered is None else [bytes(row) for row in selection.lowered],
        selection.unit,
        [bytes(bits) for bits in selection.barred],
        None if pool.new is None else np.packbits(pool.new, bitorder="little").tobytes(),
        named(exploration.policy),
        exploration.new_share,
        selection.places.tolist(),
        [] if above is None else above.tolist(),
    )
    assert selection.propensities.tolist() == pytest.approx(again, rel=1e-9)
    assert all(0 < propensity <= 1 for propensity in again)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_slates_are_as_likely_as_the_rules_say(scenario: Scenario) -> None:
    """Against all slates there can be."""
    expected = slates(scenario.wishes)
    assert sum(map(prod, expected.values())) == pytest.approx(1)
    drawn: Counter[tuple[int, ...]] = Counter()
    for seed in range(DRAWS):
        selection = select(scenario.pool, scenario.plan, scenario.wishes.places, seed)
        slate = tuple(selection.places.tolist())
        assert selection.propensities.tolist() == pytest.approx(expected[slate], rel=1e-9)
        assert selection.lost == ()
        drawn[slate] += 1
    chances = {slate: DRAWS * prod(chance) for slate, chance in expected.items()}
    assert p_value(drawn, chances) > 1e-3


def test_a_wrong_likelihood_is_seen() -> None:
    """The check above is worth something: a temperature that is 10% off is caught by it."""
    expected = slates(SCENARIOS["Plackett-Luce"].wishes)
    pool = SCENARIOS["Plackett-Luce"].pool
    plan = Plan(exploration=Exploration(PlackettLuce(0.88)))
    drawn = Counter(tuple(select(pool, plan, 3, seed).places.tolist()) for seed in range(20_000))
    chances = {slate: 20_000 * prod(chance) for slate, chance in expected.items()}
    assert p_value(drawn, chances) < 1e-3


def test_places_have_chances_of_their_own() -> None:
    """Numbers of neighbouring seeds and places look independent, and are spread evenly."""
    chances = np.array([uniforms(seed, 8) for seed in range(4000)])
    assert 0 <= chances.min() < chances.max() < 1
    assert np.abs(chances.mean(axis=0) - 0.5).max() < 0.02
    assert np.abs(chances.std(axis=0) - 12**-0.5).max() < 0.01
    columns = np.hstack([chances[1:], chances[:-1]])
    among = np.corrcoef(columns, rowvar=False) - np.eye(16)
    assert np.abs(among).max() < 0.08
    assert len(np.unique(chances)) == chances.size
