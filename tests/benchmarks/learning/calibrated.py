"""Whether probabilities of slates mean what they say, once some thousands of slates were learned.

Every group's slate is logged and joined with what came of it, as with `harken evaluate --slates`.
Only slates after the first so many count.
"""

from collections.abc import Callable
from dataclasses import replace

from threadpoolctl import threadpool_limits

from services.common.compiled_core import find_core
from services.evaluation.arm import Arm, Moment, Ranking
from services.evaluation.contest import ProgressiveValidation
from services.evaluation.evaluate import event_types
from services.evaluation.protocol import Rules
from services.evaluation.system.run import FULL, system_run
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.event_weights import event_weights
from services.system.generation import bootstrap_generation, engagement
from services.system.timeline import make_timeline
from tests.benchmarks.learning.sets import Set


class LaterSlates:
    """An arm whose probabilities count from a slate on. `slates`: how many there were."""

    def __init__(self, arm: Arm, first: int) -> None:
        self.name = arm.name
        self.fit_seconds = arm.fit_seconds
        self.slates = 0
        self._arm = arm
        self._first = first

    def rank(self, moment: Moment) -> Ranking:
        """See Arm."""
        ranking = self._arm.rank(moment)
        self.slates += 1
        return ranking if self.slates > self._first else replace(ranking, probabilities=None)


def calibration_error(
    one: Set, start: float, limit: int, first: int, progress: Callable[[int], None],
    dimension: int = 128,
) -> tuple[float | None, int]:  # fmt: skip
    """Return the expected calibration error after the first slates, and how many came after them.

    None: there were not so many. `start` and `limit` are those of Rules.
    """
    rules = Rules(start=start, limit=limit, repeats=one.repeats)
    weights = event_weights(one.events, event_types("shopping"))
    timeline = make_timeline(one.events, weights, start, limit, list(one.contents))
    generation = bootstrap_generation(dimension, engagement(timeline.events.types))
    with threadpool_limits(limits=1), system_run(
        timeline, one.contents, generation, LearningConfig(core=find_core()), [FULL], rules,
        slates=True,
    ) as system:  # fmt: skip
        later = LaterSlates(system.arms[0], first)
        found = ProgressiveValidation(timeline, rules, [later], system.learners).run(progress)
    return found.arms[0].calibration_error, max(0, later.slates - first)
