"""A system that has learned a real history up to the split, for slates of the rest of it."""

from collections.abc import Callable
from typing import TypeVar

from services.common.compiled_core import find_core
from services.evaluation.arm import Arm
from services.evaluation.contest import ProgressiveValidation
from services.evaluation.cut import cut_history
from services.evaluation.evaluate import event_types
from services.evaluation.outcomes import Outcomes
from services.evaluation.protocol import Rules
from services.evaluation.system.arms import SlateArm
from services.evaluation.system.run import FULL, system_run
from services.feedback.learner.model.tenant_state import LearningConfig
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.surface.drafts import Drafts
from services.ranker.numpy_slates import NumpySlates
from services.system.event_weights import event_weights
from services.system.generation import bootstrap_generation, engagement
from tests.benchmarks.learning.sets import Set

_DIMENSION = 128
_Own = TypeVar("_Own", bound=Arm)


def drafts() -> Drafts:
    """Return who drafts slates: the compiled core, where it is installed."""
    core = find_core()
    return NumpySlates() if core is None else CompiledSlates(core)


def walked(
    one: Set, rules: Rules, arms_of: Callable[[SlateArm], list[_Own]]
) -> tuple[list[_Own], Outcomes]:
    """Walk through the test part of a history with arms that make slates of the replica of `full`;
    return them, and what came out.
    """
    types = event_types("shopping")
    timeline = cut_history(one.events, event_weights(one.events, types), rules, list(one.contents))
    generation = bootstrap_generation(_DIMENSION, engagement(timeline.events.types))
    config = LearningConfig(core=find_core())
    with system_run(timeline, one.contents, generation, config, [FULL], rules) as system:
        (full,) = (arm for arm in system.arms if isinstance(arm, SlateArm))
        arms = arms_of(full)
        outcomes = ProgressiveValidation(timeline, rules, arms, system.learners).run()
    return arms, outcomes
