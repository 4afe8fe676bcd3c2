"""Sets up the system: one learner feeds all arms that learn; replicas are warmed up together."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import numpy as np

from harken.internal.feed.v1 import frame_pb2
from services.common.content_features import Content
from services.evaluation.arm import Arm, Learner
from services.evaluation.protocol import Repeats, Rules
from services.evaluation.system.arms import FrozenStateArm, RefreshedArm, SlateArm
from services.evaluation.system.shown_slates import with_slate
from services.evaluation.system.warm_retraining import WARM, WarmRetraining
from services.feedback.learner.model.entries import Kind
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import SystemGeneration
from services.system.history_entries import HistoryEntries
from services.system.learner import SystemLearner, SystemStep
from services.system.replica import SystemReplica
from services.system.timeline import Ints, Timeline

FULL, PRIOR_BLEND = "full", "prior_blend"
FROZEN_PARAMS, FROZEN_STATE = "frozen_params", "frozen_state"
PERIODS: Mapping[str, int] = {"hourly": 3600, "daily": 86_400}
SYSTEM_ARMS = (FULL, PRIOR_BLEND, "hourly", "daily", FROZEN_PARAMS, FROZEN_STATE, WARM)
WARM_UP_STEP = 1_000
"""Events in a step before the split, as the learner takes them when it catches up."""


@dataclass(slots=True)
class System:
    """Arms that are ready to rank, and what they learn by. Close it after use."""

    arms: list[Arm] = field(default_factory=list)
    learners: list[Learner] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for arm in self.arms:
            if isinstance(arm, RefreshedArm):
                arm.close()


class _Live:
    """The learner of all arms that learn: each group is one step, as one RecordEvents is."""

    def __init__(
        self,
        learner: SystemLearner,
        entries: HistoryEntries,
        timeline: Timeline,
        full: SlateArm | None,
        prior: SlateArm | None,
        refreshed: Sequence[RefreshedArm],
        slates: bool,
    ) -> None:
        """With `slates`, those of `full` are logged and joined with what came of them."""
        fresh = [arm for arm in (full, prior) if arm is not None]
        self.names = tuple(arm.name for arm in (*refreshed, *fresh))
        self._learner = learner
        self._entries = entries
        self._times_us = timeline.events.times_us
        self._full = full
        self._prior = prior
        self._refreshed = refreshed
        self._slates = slates
        self._shown = 0

    def reveal(self, events: Ints) -> None:
        now_us = int(self._times_us[events[-1]])
        kinds = self._entries.of(events)
        if self._slates:
            kinds = self._with_slate(kinds)
        steps = list(self._learner.take(kinds, now_us))
        if self._full is not None:
            for step in steps:
                self._full.replica.fold(step)
        if self._prior is not None:
            for step in steps:
                self._prior.replica.fold(without_head(step))
        for arm in self._refreshed:
            arm.offer(steps, now_us)

    def _with_slate(self, kinds: list[Kind]) -> list[Kind]:
        served = None if self._full is None else self._full.taken_slate()
        if served is None or self._full is None:
            return kinds
        self._shown += 1
        generation_id = self._full.replica.generation.generation_id
        key = self._entries.keys[served.user]
        return with_slate(kinds, served, self._shown, key, generation_id)


class _FreshHistory:
    """The learner of `frozen_params`: users go on, parameters stay as they are."""

    names: tuple[str, ...] = (FROZEN_PARAMS,)

    def __init__(
        self,
        learner: SystemLearner,
        entries: HistoryEntries,
        timeline: Timeline,
        replica: SystemReplica,
    ) -> None:
        self._learner = learner
        self._entries = entries
        self._times_us = timeline.events.times_us
        self._replica = replica

    def reveal(self, events: Ints) -> None:
        now_us = int(self._times_us[events[-1]])
        for step in self._learner.take(self._entries.of(events), now_us):
            self._replica.fold(without_parameters(step))


def without_parameters(step: SystemStep) -> SystemStep:
    """Return a step without changes of item vectors, rules and popularity by events."""
    kept = frame_pb2.Frame()
    kept.tenants.extend(part for part in step.frame.tenants if part.HasField("catalogue"))
    return SystemStep(kept, step.entries)


def without_head(step: SystemStep) -> SystemStep:
    """Return a step without what is learned about the order of candidates."""
    if not any(part.HasField("head") for part in step.frame.tenants):
        return step
    kept = frame_pb2.Frame()
    kept.CopyFrom(step.frame)
    for part in kept.tenants:
        part.ClearField("head")
    return SystemStep(kept, step.entries)


def unlearning(config: LearningConfig) -> LearningConfig:
    """Return a config under which events move no item vector."""
    return replace(config, item_step=replace(config.item_step, eta=0.0, pull=0.0))


def system_run(
    timeline: Timeline,
    contents: Mapping[str, Content],
    generation: SystemGeneration,
    config: LearningConfig,
    wanted: Sequence[str],
    rules: Rules,
    trained: SystemGeneration | None = None,
    progress: Callable[[int], None] = lambda _: None,
    slates: bool = False,
) -> System:
    """Learn what is before the split, and return the wanted arms; `progress` hears of events.

    `generation` serves from the beginning on, `trained` from the split on; without it there is no
    `warm_250`. With `slates`, those of `full` are logged and what came of them is learned, too.

    One learner and, per arm, one replica: replicas follow the same changes up to the split.
    """
    began = time.perf_counter()
    entries = HistoryEntries(timeline, contents)
    config = replace(config, features_of=entries.features_of)
    learner = SystemLearner(config)
    users = len(timeline.events.user_ids)
    can_refit = trained is not None and trained.trained is not None
    names = [n for n in SYSTEM_ARMS if n in wanted and (n != WARM or can_refit)]
    later = () if trained is None else (trained.ranker,)
    replicas = {name: SystemReplica(generation.ranker, users, later, config.core) for name in names}
    for step in _before_split(learner, entries, timeline, generation, trained, progress):
        for name, replica in replicas.items():
            replica.fold(without_head(step) if name == PRIOR_BLEND else step)
    fit_seconds = time.perf_counter() - began
    system = System(_arms(timeline, entries.keys, replicas, rules))
    for arm in system.arms:
        arm.fit_seconds = fit_seconds
    frozen = replicas.get(FROZEN_PARAMS)
    if frozen is not None:
        copy = learner.copy(unlearning(config))
        system.learners.append(_FreshHistory(copy, entries.copy(), timeline, frozen))
    warm = replicas.get(WARM)
    if warm is not None and trained is not None and trained.trained is not None:
        copy = learner.copy(unlearning(config))
        system.learners.append(
            WarmRetraining(copy, entries.copy(), timeline, warm, trained.learner, trained.trained)
        )
    refreshed = [arm for arm in system.arms if isinstance(arm, RefreshedArm)]
    fresh = {arm.name: arm for arm in system.arms if isinstance(arm, SlateArm)}
    full, prior = fresh.get(FULL), fresh.get(PRIOR_BLEND)
    if refreshed or full is not None or prior is not None:
        live = _Live(learner, entries, timeline, full, prior, refreshed, slates)
        system.learners.append(live)
    return system


def _before_split(
    learner: SystemLearner,
    entries: HistoryEntries,
    timeline: Timeline,
    generation: SystemGeneration,
    trained: SystemGeneration | None,
    progress: Callable[[int], None],
) -> Iterator[SystemStep]:
    """Learn generation, items and events in this order, and yield each step.

    Then the trained generation, if any, takes over, as it does by `harken promote`.
    """
    times_us = timeline.events.times_us
    yield from learner.activate(generation.learner)
    listed = entries.listed()
    for begin in range(0, len(listed), WARM_UP_STEP):
        yield from learner.take(listed[begin : begin + WARM_UP_STEP], 0)
    for begin in range(0, timeline.split, WARM_UP_STEP):
        end = min(begin + WARM_UP_STEP, timeline.split)
        kinds = entries.of(np.arange(begin, end))
        yield from learner.take(kinds, int(times_us[end - 1]))
        progress(end)
    if trained is not None:
        now_us = int(times_us[timeline.split - 1])
        yield from learner.adopt(trained.staged(entries.features_of), now_us)


def _arms(
    timeline: Timeline,
    keys: Sequence[bytes],
    replicas: Mapping[str, SystemReplica],
    rules: Rules,
) -> list[Arm]:
    events = timeline.events
    count = max(rules.cutoffs)
    allow_seen = rules.repeats is Repeats.INCLUDE
    split_us = int(events.times_us[timeline.split]) if timeline.split < len(events) else 0
    known_users = np.zeros(len(events.user_ids), np.bool_)
    known_users[events.users[: timeline.split]] = True
    arms: list[Arm] = []
    for name, replica in replicas.items():
        common = (name, replica, keys, timeline.item_ids, count, allow_seen)
        if name == FROZEN_STATE:
            arms.append(FrozenStateArm(*common, known_users, split_us))
        elif name in PERIODS:
            arms.append(RefreshedArm(*common, PERIODS[name], split_us))
        else:
            arms.append(SlateArm(*common))
    return arms
