"""A baseline beside the sources of `full` is worth what it knows, and else nothing."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from services.common.candidate_features import COLUMNS
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
) -> tuple[dict[str, list[float]], BesideArm]:
    rules = Rules(start=SPLIT, repeats=repeats, resamples=10)
    timeline = timeline_of(history(), rules, ITEMS)
    generation = bootstrap_generation(16, engagement(timeline.events.types))
    with system_run(timeline, {}, generation, LearningConfig(), (FULL,), rules) as system:
        (full,) = system.arms
        assert isinstance(full, SlateArm)
        scorer = None if scorer_of is None else scorer_of(timeline)
        arms = [
            BesideArm("it", full, scorer, np.full(len(ITEMS), known)),
            BesideArm("nothing", full, None, np.full(len(ITEMS), known)),
        ]
        both = arms if scorer_of is not None else []
        found = ProgressiveValidation(timeline, rules, [full, *both], system.learners).run()
    return {arm.name: arm.ranks.tolist() for arm in found.arms}, arms[0]


@pytest.mark.parametrize("repeats", list(Repeats))
def test_what_knows_the_next_item_is_listened_to(repeats: Repeats) -> None:
    ranks, arm = run(oracle, repeats)
    half = len(ranks[FULL]) // 2
    first = {name: (np.array(own[half:]) == 1).mean() for name, own in ranks.items()}
    assert first["full+it"] > 3 * max(first["full+nothing"], first[FULL])
    assert arm.learning.weights[len(COLUMNS) + 2] > 0.05


def test_what_says_nothing_is_as_if_nothing_were_beside() -> None:
    ranks, arm = run(lambda _: _Said(lambda _: np.full(len(ITEMS), np.nan)))
    assert ranks["full+it"] == ranks["full+nothing"]
    assert not arm.learning.weights[len(COLUMNS) :].any()
    assert arm.learning.weights.any()


def test_of_items_that_it_has_not_seen_it_says_nothing() -> None:
    ranks, _ = run(oracle, known=False)
    assert ranks["full+it"] == ranks["full+nothing"]


def test_full_is_as_it_is_without_anybody_beside_it() -> None:
    assert run(oracle)[0][FULL] == run(None)[0][FULL]
