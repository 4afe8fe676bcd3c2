"""The system's arms differ in how old what they rank by is, and in nothing else."""

from collections.abc import Sequence

import numpy as np
import pytest

from harken.internal.feed.v1 import frame_pb2
from services.common.content_features import Content
from services.evaluation.contest import ProgressiveValidation
from services.evaluation.outcomes import Outcomes
from services.evaluation.protocol import Repeats, Rules
from services.evaluation.system.arms import SlateArm
from services.evaluation.system.run import SYSTEM_ARMS as ALL_ARMS
from services.evaluation.system.run import system_run
from services.evaluation.system.step_buffer import StepBuffer
from services.evaluation.system.warm_retraining import WARM
from services.feedback.learner.model.choices.learning import ChoiceConfig
from services.feedback.learner.model.slate_learning import SlateConfig
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import bootstrap_generation, engagement
from services.system.learner import SystemStep
from tests.evaluation.histories import Row, timeline_of

DAY = 86_400
SYSTEM_ARMS = tuple(name for name in ALL_ARMS if name != WARM)
"""Those that need no trained generation."""
ITEMS = [f"i{n}" for n in range(30)]
CONTENTS = {item: Content(item, f"title {n % 7}") for n, item in enumerate(ITEMS)}


def history(seconds_between: int, groups: int = 60, begins: int = 100 * DAY) -> list[Row]:
    """Return 150 events before the split, then groups of 1 to 3 events of users, old and new."""
    random = np.random.default_rng(9)
    rows = [(f"u{n % 12}", ITEMS[random.integers(24)], 10 * DAY + 60 * n) for n in range(150)]
    for number in range(groups):
        second = begins + number * seconds_between
        user = f"u{random.integers(8, 18)}"
        rows += [(user, ITEMS[random.integers(30)], second) for _ in range(random.integers(1, 4))]
    return rows


def run(
    rows: Sequence[Row], repeats: Repeats = Repeats.EXCLUDE
) -> tuple[Outcomes, dict[str, list[float]]]:
    rules = Rules(start=150, repeats=repeats, resamples=10)
    timeline = timeline_of(rows, rules, ITEMS)
    assert timeline.split == 150
    with system_run(
        timeline, CONTENTS, bootstrap_generation(16), LearningConfig(), SYSTEM_ARMS, rules
    ) as system:
        found = ProgressiveValidation(timeline, rules, system.arms, system.learners).run()
    return found, {arm.name: arm.ranks.tolist() for arm in found.arms}


def test_refreshed_arms_are_the_full_one_when_a_period_lies_between_all_groups() -> None:
    found, ranks = run(history(DAY))
    assert found.users.size > 40
    assert ranks["daily"] == ranks["hourly"] == ranks["full"]
    assert ranks["frozen_state"] != ranks["full"]
    assert ranks["frozen_params"] != ranks["full"]


def test_within_an_hour_refreshed_arms_are_those_of_the_split() -> None:
    _, ranks = run(history(50))
    assert ranks["daily"] == ranks["hourly"]
    # Almost: features compare candidates with each other, and `frozen_state` removes what was seen
    # since from finished slates, the others before there are candidates.
    same = [a == b for a, b in zip(ranks["daily"], ranks["frozen_state"], strict=True)]
    assert sum(same) > 0.8 * len(same)
    assert ranks["full"] != ranks["frozen_state"]


def test_the_hour_is_fresher_than_the_day() -> None:
    _, ranks = run(history(1800))
    assert ranks["hourly"] != ranks["daily"]
    # The first group of all is as of the split for every arm. Slates of 1,000, from which
    # `frozen_state` is made, compare more candidates with each other.
    alike = set(SYSTEM_ARMS) - {"frozen_state"}
    assert len({tuple(ranks[name][:1]) for name in alike}) == 1


@pytest.mark.parametrize("repeats", Repeats)
def test_seen_items_are_in_no_ranking_unless_they_are_wanted(repeats: Repeats) -> None:
    rows = history(1800)
    rules = Rules(start=150, repeats=repeats)
    timeline = timeline_of(rows, rules, ITEMS)
    system = system_run(
        timeline, CONTENTS, bootstrap_generation(16), LearningConfig(), SYSTEM_ARMS, rules
    )
    shown_seen = dict.fromkeys(SYSTEM_ARMS, 0)
    for arm in system.arms:
        ranked = arm.rank

        def watched(moment, name=arm.name, ranked=ranked):  # type: ignore[no-untyped-def]
            seen = {item for user, item, second in rows
                    if f"u{user[1:]}" == timeline.events.user_ids[moment.user]
                    and second * 10**6 < moment.time_us}  # fmt: skip
            ranking = ranked(moment)
            best = [timeline.item_ids[item] for item in ranking.best.tolist()]
            assert len(set(best)) == len(best)
            shown_seen[name] += len(seen.intersection(best))
            return ranking

        arm.rank = watched  # type: ignore[method-assign]
    with system:
        ProgressiveValidation(timeline, rules, system.arms, system.learners).run()
    if repeats is Repeats.EXCLUDE:
        assert set(shown_seen.values()) == {0}
    else:
        assert min(shown_seen.values()) > 0


def test_frozen_params_keeps_vectors_and_counts_of_the_split_and_goes_on_with_users() -> None:
    rows = history(1800)
    rules = Rules(start=150)
    timeline = timeline_of(rows, rules, ITEMS)
    with system_run(
        timeline, CONTENTS, bootstrap_generation(16), LearningConfig(),
        ["frozen_params", "full"], rules,
    ) as system:  # fmt: skip
        replicas = {
            arm.name: arm.replica._replica for arm in system.arms if isinstance(arm, SlateArm)
        }
        everything = np.arange(len(ITEMS))
        vectors = replicas["full"].index.copy_rows(everything)
        counts = replicas["full"].popularity.counts(everything).tolist()
        ProgressiveValidation(timeline, rules, system.arms, system.learners).run()
    frozen, full = replicas["frozen_params"], replicas["full"]
    assert (frozen.index.copy_rows(everything) == vectors).all()
    assert (full.index.copy_rows(everything) != vectors).any()
    assert frozen.popularity.counts(everything).tolist() == counts
    assert full.popularity.counts(everything).tolist() != counts
    key = f"u:{rows[-1][0]}".encode()
    states = [replica.users.get(key) for replica in (frozen, full)]
    assert states[0] is not None
    assert states[1] is not None
    assert states[0].recent.tolist() == states[1].recent.tolist()
    space = frozen.spaces[frozen.active]
    assert space.user_vector(states[0], frozen.catalogue.listed()) is not None


def test_items_come_into_the_catalogue_with_their_first_event() -> None:
    rows = [("u", "a", 1), ("v", "b", 2), ("u", "c", 3), ("v", "c", 4)]
    rules = Rules(start=2)
    timeline = timeline_of(rows, rules)
    system = system_run(timeline, {}, bootstrap_generation(16), LearningConfig(), ["full"], rules)
    found = ProgressiveValidation(timeline, rules, system.arms, system.learners).run()
    # c is not known when u takes it; a moment later it is, beside a which v has not seen.
    assert found.arms[0].ranks[0] == np.inf
    assert found.arms[0].ranks[1] in (1.0, 2.0)


def test_a_buffer_gives_back_what_was_put_in_order() -> None:
    with StepBuffer() as buffer:
        for _ in range(2):
            for number in range(5):
                buffer.add(SystemStep(frame_pb2.Frame(version=number)))
            assert [step.frame.version for step in buffer.drain()] == list(range(5))
            assert list(buffer.drain()) == []


def test_the_prior_blend_is_full_whose_choices_teach_nothing() -> None:
    rows = history(50, groups=120)
    rules = Rules(start=150, repeats=Repeats.INCLUDE)
    timeline = timeline_of(rows, rules, ITEMS)
    generation = bootstrap_generation(16, engagement(["view"]))

    def ranks(config: LearningConfig) -> dict[str, list[float]]:
        with system_run(
            timeline, CONTENTS, generation, config, ["full", "prior_blend"], rules
        ) as system:
            found = ProgressiveValidation(timeline, rules, system.arms, system.learners).run()
        return {arm.name: arm.ranks.tolist() for arm in found.arms}

    slates = SlateConfig(choices=ChoiceConfig(max_step=0.0))
    still, learning = ranks(LearningConfig(slates=slates)), ranks(LearningConfig())
    assert still["full"] == still["prior_blend"] == learning["prior_blend"]
    assert learning["full"] != learning["prior_blend"]
