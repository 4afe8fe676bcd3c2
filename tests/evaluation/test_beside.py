"""A baseline beside the sources of `full` is worth what it knows, and else nothing."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from services.evaluation.contest import ProgressiveValidation
from services.evaluation.protocol import Repeats, Rules
from services.evaluation.score_arm import Scorer
from services.evaluation.system.arms import SlateArm
from services.evaluation.system.beside import BesideArm
from services.evaluation.system.run import FULL, system_run
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import bootstrap_generation, engagement
from services.system.timeline import Codes, Ints, Timeline
from tests.evaluation.histories import Row, timeline_of

ITEMS = [f"i{n}" for n in range(40)]
SPLIT, GROUPS = 120, 200


def history() -> list[Row]:
    """Everybody takes items at random: nobody can tell which, but who has looked."""
    random = np.random.default_rng(5)
    rows = [(f"u{n % 12}", ITEMS[random.integers(40)], 1000 + 60 * n) for n in range(SPLIT)]
    begins = 1000 + 60 * SPLIT
    later = [
        (f"u{random.integers(25)}", ITEMS[random.integers(40)], begins + 60 * n)
        for n in range(GROUPS)
    ]
    return rows + later


class _Said:
    """A scorer that says what a function does, of items and the time."""

    def __init__(self, says: Callable[[int], npt.NDArray[np.floating]]) -> None:
        self._says = says

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.floating]:
        return self._says(now_us)


def oracle(timeline: Timeline) -> Scorer:
    """It has looked."""
    events = timeline.events
    next_item = dict(zip(events.times_us.tolist(), events.items.tolist(), strict=True))
    return _Said(lambda now_us: (np.arange(len(ITEMS)) == next_item[now_us]).astype(np.float64))


def run(
    scorer_of: Callable[[Timeline], Scorer] | None,
    repeats: Repeats = Repeats.EXCLUDE,
    known: bool = True,
    more: Sequence[str] = (),
) -> tuple[dict[str, list[float]], BesideArm | None]:
    rules = Rules(start=SPLIT, repeats=repeats, resamples=10)
    timeline = timeline_of(history(), rules, [*ITEMS, *more])
    generation = bootstrap_generation(16, engagement(timeline.events.types))
    with system_run(timeline, {}, generation, LearningConfig(), (FULL,), rules) as system:
        arms, beside = list(system.arms), None
        if scorer_of is not None:
            (full,) = arms
            assert isinstance(full, SlateArm)
            there = np.full(len(timeline.item_ids), known)
            beside = BesideArm("it", full, scorer_of(timeline), there)
            arms.append(beside)
        found = ProgressiveValidation(timeline, rules, arms, system.learners).run()
    return {arm.name: arm.ranks.tolist() for arm in found.arms}, beside


@pytest.mark.parametrize("repeats", list(Repeats))
def test_what_knows_the_next_item_is_heard_once_that_is_sure(repeats: Repeats) -> None:
    ranks, arm = run(oracle, repeats)
    assert arm is not None and arm.learning.serves
    assert arm.learning.weights[2] > 0.05
    half = len(ranks[FULL]) // 2
    first = np.array(ranks["full+it"][half:]) == 1
    assert first.mean() > 3 * (np.array(ranks[FULL][half:]) == 1).mean()
    begun = [a == b for a, b in zip(ranks[FULL], ranks["full+it"], strict=True)]
    assert all(begun[:40]), "before it is sure, the arm ranks as full does"


@pytest.mark.parametrize(
    "says", [lambda _: np.zeros(len(ITEMS)), lambda _: np.full(len(ITEMS), np.nan)]
)
def test_what_tells_nothing_apart_changes_nothing(
    says: Callable[[int], npt.NDArray[np.floating]],
) -> None:
    ranks, _ = run(lambda _: _Said(says))
    assert ranks["full+it"] == ranks[FULL]


def test_of_items_that_it_has_not_seen_it_says_nothing() -> None:
    ranks, arm = run(oracle, known=False)
    assert arm is not None and not arm.learning.weights.any()
    assert ranks["full+it"] == ranks[FULL]


def test_while_it_is_not_sure_candidates_that_it_alone_lists_change_nothing() -> None:
    random = np.random.default_rng(1)
    more = [f"n{n}" for n in range(600)]
    ranks, arm = run(lambda _: _Said(lambda _: random.normal(size=640)), more=more)
    assert arm is not None and not arm.learning.serves and arm.learning.weights.any()
    assert ranks["full+it"] == ranks[FULL]


def test_full_is_as_it_is_without_anybody_beside_it() -> None:
    assert run(oracle)[0][FULL] == run(None)[0][FULL]
