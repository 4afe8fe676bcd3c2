"""One comparison from a history to figures: what `harken evaluate` does between file and table."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from services.common.compiled_core import find_core
from services.common.content_features import Content
from services.dataset.history.events import Events
from services.evaluation.arm import Arm, Learner
from services.evaluation.baselines.registry import BASELINES, BaselineContext, RefusedError
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.contest import ProgressiveValidation
from services.evaluation.cut import cut_history
from services.evaluation.memory import MemoryWatch
from services.evaluation.outcomes import Outcomes
from services.evaluation.protocol import Protocol, Rules
from services.evaluation.published import Published, published_for, sizes_of
from services.evaluation.score_arm import ScoreArm, Scorer
from services.evaluation.summary import Summary, summarise
from services.evaluation.system.arms import SlateArm
from services.evaluation.system.beside import NOTHING_BESIDE, BesideArm
from services.evaluation.system.run import (
    FROZEN_PARAMS,
    FROZEN_STATE,
    FULL,
    PERIODS,
    SYSTEM_ARMS,
    System,
    system_run,
)
from services.evaluation.system.training import read_trained, train_before_split
from services.evaluation.system.warm_retraining import WARM
from services.feedback.events.domain.event_types import EventType, preset
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.event_weights import event_weights
from services.system.generation import bootstrap_generation, engagement
from services.system.timeline import Timeline

_FORECAST_AFTER_SECONDS = 15.0
ALL_ARMS = (*BASELINES, *SYSTEM_ARMS)
NEED_TRAINING = (WARM,)


class NothingToCompareError(ValueError):
    """There is nothing to compare; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared, and how.

    arms: names of ALL_ARMS. types: event types with their weights. dimension: of the system's
    vectors. beside: baselines that stand beside the sources of `full`, each in an arm of its own.
    slates: those of `full` are logged, and what came of them is learned, too. train: the
    system's generation is trained before the split, with the parameters of a file if given;
    generation: or it is this one, a folder. keep_anyway: what is trained serves, even if it is no
    better than what is learned online. learning: constants of learning online, None: as the service
    has them. peer_seconds: a baseline that expects to take longer is
    left out.
    """

    arms: Sequence[str]
    rules: Rules = field(default_factory=Rules)
    types: Mapping[str, EventType] = field(default_factory=dict)
    dimension: int = 128
    slates: bool = False
    train: bool = False
    parameters: Path | None = None
    generation: Path | None = None
    keep_anyway: bool = False
    beside: Sequence[str] = ()
    peer_seconds: float = 1800.0
    max_items_ease: int = 12_000
    learning: LearningConfig | None = None


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how it goes. `bar(what, total)` shows progress while its block runs."""

    bar: Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that came out. `data`: what the history is, so that figures can be told apart.

    split_us: time of the first event of the test part; None where the parts are not divided by a
    point of time. published: figures of others on the same history. peak_bytes: the most memory
    that the process held.
    """

    outcomes: Outcomes
    summary: Summary
    data: dict[str, object]
    split_us: int | None
    seconds: dict[str, float]
    published: tuple[Published, ...]
    peak_bytes: int


def evaluate(
    events: Events, contents: Mapping[str, Content], plan: Plan, watcher: Watcher
) -> Evaluation:
    """Compare arms on a history.

    Raises:
        NothingToCompareError: nothing is left after the split, or no arm takes part.
        TrainingError: there is nothing to train on, or the generation cannot be read.
        ValueError: the rules make no sense.

    """
    rules = plan.rules
    weights = event_weights(events, plan.types)
    if plan.slates and rules.protocol is Protocol.LEAVE_ONE_OUT:
        raise ValueError("leave-one-out learns nothing in the test part, so it logs no slates")
    if plan.beside and (FULL not in plan.arms or rules.protocol is not Protocol.GLOBAL):
        raise ValueError("a baseline stands beside the arm full, where it learns: protocol global")
    timeline = cut_history(events, weights, rules, list(contents))
    if timeline.groups == 0 or timeline.split == 0:
        raise NothingToCompareError(
            f"{len(events):,} events leave nothing to compare: {timeline.split:,} are training, "
            f"{timeline.groups:,} groups of events are the test"
        )
    skipped = left_out(plan.arms, rules.protocol)
    plan = replace(plan, arms=[name for name in plan.arms if name not in skipped])
    memory = MemoryWatch()
    seconds: dict[str, float] = {}
    arms: list[Arm] = []
    learners: list[Learner] = []
    peers = _add_peers(timeline, plan, watcher, memory, arms, learners, skipped)
    with memory.phase(*(name for name in plan.arms if name in SYSTEM_ARMS)):
        system = _system(timeline, contents, plan, watcher)
    with system:
        arms += system.arms
        arms += _beside_full(system, timeline, plan, peers)
        if WARM in plan.arms and not any(arm.name == WARM for arm in arms):
            skipped[WARM] = "needs a trained generation with item vectors: --train"
        learners += system.learners
        if not arms:
            raise NothingToCompareError("no arm takes part")
        seconds |= {f"fit {arm.name}": arm.fit_seconds for arm in arms}
        began = time.perf_counter()
        with watcher.bar("test part, in groups", timeline.groups) as show:
            outcomes = ProgressiveValidation(
                timeline, rules, arms, learners, fit_bytes=memory.grown
            ).run(_forecast(timeline.groups, show, watcher.say))
        seconds["test part"] = time.perf_counter() - began
    outcomes = replace(outcomes, skipped=skipped)
    began = time.perf_counter()
    summary = summarise(outcomes, rules)
    seconds["intervals"] = time.perf_counter() - began
    return Evaluation(
        outcomes,
        summary,
        data_of(timeline),
        int(timeline.events.times_us[timeline.split])
        if rules.protocol is Protocol.GLOBAL
        else None,
        seconds,
        published_for(sizes_of(timeline), rules),
        memory.peak_bytes(),
    )


def left_out(arms: Sequence[str], protocol: Protocol) -> dict[str, str]:
    """Return the arms that cannot take part in a protocol, and why."""
    reasons: dict[str, str] = {}
    if protocol is Protocol.LEAVE_ONE_OUT:
        why = "leave-one-out learns nothing after training, so it would rank as full does"
        reasons = dict.fromkeys((FROZEN_PARAMS, FROZEN_STATE, *PERIODS, WARM), why)
    elif protocol is Protocol.SESSION:
        blind = "knows nothing of the session that goes on, which this protocol predicts from"
        reasons = dict.fromkeys((FROZEN_STATE, *PERIODS), blind)
        reasons[WARM] = "is refitted on test sessions, which session-rec's terms exclude"
    return {name: reasons[name] for name in arms if name in reasons}


def _system(
    timeline: Timeline, contents: Mapping[str, Content], plan: Plan, watcher: Watcher
) -> System:
    wanted = [name for name in plan.arms if name in SYSTEM_ARMS]
    if not wanted:
        return System()
    trained = None
    if plan.train:
        trained = train_before_split(
            timeline, contents, plan.types, plan.parameters, plan.keep_anyway, watcher.bar,
            watcher.say,
        )  # fmt: skip
    elif plan.generation is not None:
        trained = read_trained(plan.generation)
    with watcher.bar(f"system before the split ({', '.join(wanted)})", timeline.split) as show:
        return system_run(
            timeline,
            contents,
            bootstrap_generation(plan.dimension, engagement(timeline.events.types)),
            plan.learning or LearningConfig(core=find_core()),
            wanted,
            plan.rules,
            trained,
            show,
            plan.slates,
        )


def _forecast(
    groups: int, show: Callable[[int], None], say: Callable[[str], None]
) -> Callable[[int], None]:
    """Return what shows progress, and says after a while how long the whole will take."""
    began = time.perf_counter()
    said = False

    def progress(done: int) -> None:
        nonlocal said
        show(done)
        took = time.perf_counter() - began
        if not said and took > _FORECAST_AFTER_SECONDS:
            said = True
            whole = took * groups / done
            hint = f"; --every {round(whole / 300) + 1} would take 5" if whole > 1200 else ""
            say(f"the test part will take about {whole / 60:.0f} minutes{hint}")

    return progress


def event_types(name: str) -> Mapping[str, EventType]:
    """Return the event types of a preset of the feedback service.

    Raises:
        ValueError: there is no such preset.

    """
    return preset(name)


def _add_peers(
    timeline: Timeline,
    plan: Plan,
    watcher: Watcher,
    memory: MemoryWatch,
    arms: list[Arm],
    learners: list[Learner],
    skipped: dict[str, str],
) -> dict[str, Scorer]:
    """Add the baselines that take part; return these and those beside `full`, by name."""
    events = timeline.events
    positive = np.flatnonzero(timeline.weights[: timeline.split] > 0)
    train = TrainPart(
        events.users[positive],
        events.items[positive],
        events.times_us[positive],
        len(events.user_ids),
        len(timeline.item_ids),
    )
    found: dict[str, Scorer] = {}
    for name in dict.fromkeys((*(one for one in plan.arms if one in BASELINES), *plan.beside)):
        began = time.perf_counter()
        try:
            with memory.phase(name):
                scorer = _fit_peer(name, train, timeline, plan, watcher)
        except RefusedError as error:
            skipped[name] = str(error)
            watcher.say(f"{name} is left out: {error}")
            continue
        took = time.perf_counter() - began
        found[name] = scorer
        if name in plan.arms:
            arms.append(ScoreArm(name, scorer, took, max(plan.rules.cutoffs)))
        if isinstance(scorer, Learner) and plan.rules.protocol is Protocol.GLOBAL:
            learners.append(scorer)
    return found


def _beside_full(
    system: System, timeline: Timeline, plan: Plan, peers: Mapping[str, Scorer]
) -> list[Arm]:
    full = [arm for arm in system.arms if isinstance(arm, SlateArm) and arm.name == FULL]
    known = np.zeros(len(timeline.item_ids), np.bool_)
    known[timeline.events.items[: timeline.split][timeline.weights[: timeline.split] > 0]] = True
    beside: dict[str, Scorer | None] = {NOTHING_BESIDE: None} if plan.beside else {}
    beside |= {name: peers[name] for name in plan.beside if name in peers}
    return [BesideArm(name, arm, scorer, known) for arm in full for name, scorer in beside.items()]


def _fit_peer(
    name: str, train: TrainPart, timeline: Timeline, plan: Plan, watcher: Watcher
) -> Scorer:
    baseline = BASELINES[name]
    missing = baseline.missing()
    if missing is not None:
        raise RefusedError(missing)
    with watcher.bar(f"fitting {name}", 100) as show:

        def progress(done: int, total: int) -> None:
            show(round(100 * done / max(total, 1)))

        def say(text: str) -> None:
            watcher.say(f"{name}: {text}")

        context = BaselineContext(
            timeline, plan.rules.seed, plan.peer_seconds, plan.max_items_ease, progress, say
        )
        scorer = baseline.fit(train, context)
        show(100)
    return scorer


def data_of(timeline: Timeline) -> dict[str, object]:
    """Return what the history is: sizes, span, and a hash over all of its events."""
    events = timeline.events
    digest = hashlib.blake2b(digest_size=16)
    for ids in (events.user_ids, events.item_ids, events.types):
        digest.update("\x00".join(ids).encode())
        digest.update(b"\x01")
    for column in (events.users, events.items, events.kinds, events.values, events.times_us):
        digest.update(np.ascontiguousarray(column).tobytes())
    counts = np.bincount(events.kinds, minlength=len(events.types)).tolist()
    return {
        "events": len(events),
        "users": int(np.unique(events.users).size),
        "items": len(timeline.item_ids),
        "items_listed": timeline.listed,
        "types": dict(zip(events.types, counts, strict=True)),
        "first_us": int(events.times_us.min()),
        "last_us": int(events.times_us.max()),
        "split_event": timeline.split,
        "rejected": dict(events.rejected),
        "fingerprint": digest.hexdigest(),
    }
