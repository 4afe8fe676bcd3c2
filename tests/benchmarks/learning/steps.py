"""What learning from choices costs the learner: steps with it and without, in turns."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from services.common.compiled_core import find_core
from services.feedback.learner.model.entries import LogEntry
from services.feedback.learner.model.step import States, step
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import bootstrap_generation, engagement
from tests.benchmarks.learner import ITEMS, STEP, WARM, Stream

_BATCH = 2_000
_STEPS_A_ROUND = 5
_SINGLE_A_ROUND = 200


@dataclass(slots=True)
class _Learner:
    """A learner's state, moved by steps."""

    states: States
    config: LearningConfig
    version: int = 0

    def take(self, entries: Sequence[LogEntry]) -> None:
        self.version += 1
        step(self.states, entries, self.config, self.version)

    def choices(self) -> int:
        return sum(state.slates.choices.choices for state in self.states.values())


@dataclass(frozen=True, slots=True)
class StepFigures:
    """By round: events a second of processor time in steps of 1,000; microseconds of a step of
    one event (medians of a round). With choices, and without. choices: that taught, with and
    without.
    """

    rates_on: Sequence[float]
    rates_off: Sequence[float]
    single_on: Sequence[float]
    single_off: Sequence[float]
    choices: tuple[int, int]


def steps(
    rounds: int, say: Callable[[str], None], items: int = ITEMS, warm: int = WARM,
    dimension: int = 128,
) -> StepFigures:  # fmt: skip
    """Measure rounds. A learner without is one whose generation has no scorer to learn with."""
    stream = Stream(items)
    config = LearningConfig(core=find_core())
    generation = bootstrap_generation(dimension, engagement(["view"])).learner
    on, off = (_Learner(States(), config) for _ in range(2))
    rates: dict[int, list[float]] = {id(on): [], id(off): []}
    single: dict[int, list[float]] = {id(on): [], id(off): []}
    with threadpool_limits(limits=1):
        for learner, activation in ((on, generation), (off, replace(generation, scorer=b""))):
            learner.take([LogEntry(1, "default", 0, activation)])
        for first in range(0, items, _BATCH):
            entries = stream.items(first, min(first + _BATCH, items))
            on.take(entries)
            off.take(entries)
        for _ in range(warm):
            entries = stream.events()
            on.take(entries)
            off.take(entries)
        for number in range(rounds):
            turns = (on, off) if number % 2 == 0 else (off, on)
            batches = [stream.events() for _ in range(_STEPS_A_ROUND)]
            took = {id(learner): 0.0 for learner in turns}
            for entries in batches:
                for learner in turns:
                    began = time.process_time()
                    learner.take(entries)
                    took[id(learner)] += time.process_time() - began
            for learner in turns:
                rates[id(learner)].append(_STEPS_A_ROUND * STEP / took[id(learner)])
            each: dict[int, list[float]] = {id(learner): [] for learner in turns}
            for entry in stream.events()[:_SINGLE_A_ROUND]:
                for learner in turns:
                    began_ns = time.perf_counter_ns()
                    learner.take([entry])
                    each[id(learner)].append((time.perf_counter_ns() - began_ns) / 1e3)
            for learner in turns:
                single[id(learner)].append(statistics.median(each[id(learner)]))
            say(f"round {number + 1} of {rounds}: {rates[id(on)][-1]:,.0f} events/s with choices, "
                f"{rates[id(off)][-1]:,.0f} without")  # fmt: skip
    return StepFigures(
        rates[id(on)], rates[id(off)], single[id(on)], single[id(off)],
        (on.choices(), off.choices()),
    )  # fmt: skip
