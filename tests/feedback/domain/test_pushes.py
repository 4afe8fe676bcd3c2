"""Fakes who push an item: nobody is shown it, and without the defence many are."""

import pytest

from services.common.compiled_core import find_core
from services.feedback.learner.model.item_allowance import AllowanceConfig
from services.feedback.learner.model.tenant_state import LearningConfig
from tests.benchmarks.histories.known import HISTORIES
from tests.benchmarks.learning.sets import Set
from tests.benchmarks.pushes.attacks import ATTACKS, measure
from tests.benchmarks.pushes.world import World

_EVENTS = 6_000


@pytest.fixture(scope="module", params=[True, False], ids=["on", "off"])
def world(request: pytest.FixtureRequest) -> World:
    """A shop that learned for a while, with the defence on or off."""
    history = HISTORIES["shop"](1)
    # Less than by default: there, floors are for tenants with more of a past.
    allowance = AllowanceConfig(on=request.param, floor=4.0, first_floor=1.0, proportion=8.0)
    one = Set("shop", history.events.head(_EVENTS), history.repeats)
    return World(one, LearningConfig(core=find_core(), allowance=allowance), dimension=32)


@pytest.mark.parametrize("name", ["one call", "only target"])
def test_sessions_out_of_nowhere_push_nothing(world: World, name: str) -> None:
    seen = measure(world, ATTACKS[name])
    on = world.config.allowance.on
    if on:
        assert max(seen.honest, seen.newcomers) <= 0.02
    else:
        assert max(seen.honest, seen.newcomers) >= 0.3
