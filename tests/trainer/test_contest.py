"""Whether a generation is better than none: by the protocol of the evaluator, and by its rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.evaluate import Plan, Watcher, evaluate
from services.evaluation.protocol import Repeats, Rules
from services.feedback.generations.domain.bootstrap_models import ENGAGE
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.intervals import Interval
from services.trainer.contest import Comparison, Judged, Ratio, best_of, compared, judged
from services.trainer.scorer import LinearScorer, bootstrap_scorer, scorer_model
from services.trainer.training_data import training_data
from tests.trainer.made import TYPES, events_of, generation_with, tasteful
from tests.trainer.test_run import silent

DIMENSION = 16


def sessions(seed: int = 3) -> object:
    """Short sessions that come back to items, several events a second."""
    generator = np.random.default_rng(seed)
    users = np.repeat(np.arange(60), 8)
    items = np.minimum(generator.integers(0, 12, users.size) + users // 6, 25)
    items[1::4] = items[::4]
    seconds = 10 * (np.arange(users.size) // 2)
    return events_of(users.tolist(), items.tolist(), seconds.tolist())


@pytest.mark.parametrize("repeats", [Repeats.EXCLUDE, Repeats.INCLUDE])
def test_it_judges_as_the_evaluator_does(repeats: Repeats) -> None:
    """The system without a generation is the evaluator's arm `full`, event by event."""
    data = training_data(sessions(), {}, TYPES, 0.3)  # type: ignore[arg-type]
    start = data.validation_start
    plan = Plan(("full",), Rules(start=start, repeats=repeats), TYPES, DIMENSION)
    wanted = evaluate(data.events, {}, plan, Watcher(silent, lambda _: None))
    found = judged(
        data, None, start, len(data.events), 10**6, DIMENSION, LearningConfig()
    )  # fmt: skip
    gains = found.gains[:, 0 if repeats is Repeats.EXCLUDE else 1]
    ndcg = wanted.summary.arms[0].figures[0].ndcg
    assert np.nanmean(gains) == pytest.approx(ndcg, abs=1e-6)
    assert ndcg > 0


def test_nothing_of_what_comes_is_known_before() -> None:
    """What an event is worth does not hang on later events: another future, the same gains."""
    one = tasteful(events=700)
    items = one.events.items.copy()
    items[-30:] = items[-30:][::-1]
    other = training_data(events_of(
        one.events.users.tolist(), items.tolist(), (one.events.times_us // 10**6).tolist()
    ), {c.item_id: c for c in one.contents if c}, TYPES, 0.2)  # fmt: skip
    vectors = np.eye(8, dtype=np.float32)[np.arange(40) % 4] * 0.5
    found = [
        judged(data, generation_with(vectors), 560, 700, 10**6, DIMENSION, LearningConfig())
        for data in (one, other)
    ]
    np.testing.assert_array_equal(found[0].gains[:110], found[1].gains[:110])


def test_one_against_itself_is_even() -> None:
    generator = np.random.default_rng(1)
    one = Judged(np.arange(50) % 7, generator.random((50, 2)), np.zeros((1, 3)))
    found = compared(one, one)
    assert all(ratio.ratio == 1.0 for ratio in found.ratios.values())
    assert not found.better


def test_where_nobody_comes_back_only_new_items_count() -> None:
    one = Judged(np.arange(50), np.random.default_rng(1).random((50, 2)), np.zeros((1, 3)))
    again = one.gains.copy()
    again[:5, 0] = np.nan
    assert list(compared(one, one).ratios) == ["new"]
    repeated = Judged(one.users, again, one.order)
    found = compared(repeated, repeated)
    assert {name: ratio.events for name, ratio in found.ratios.items()} == {"new": 45, "all": 50}
    nothing = Judged(np.zeros(0, np.int64), np.zeros((0, 2)), one.order)
    assert not compared(nothing, nothing).better


RATIO = st.floats(0.0, 2.0)


@given(st.lists(st.tuples(RATIO, RATIO, RATIO), min_size=1, max_size=2))
def test_better_is_no_loss_that_lasts_and_one_gain_beyond_chance(
    figures: list[tuple[float, float, float]],
) -> None:
    found = Comparison(
        {
            name: Ratio(ratio, 1.0, 9, Interval(min(low, ratio), 3.0), late)
            for name, (ratio, low, late) in zip(("new", "all"), figures, strict=False)
        }
    )
    wanted = (
        all(ratio >= 1.0 and late >= 1.0 for ratio, _, late in figures)
        and any(min(low, ratio) > 1.0 for ratio, low, _ in figures)
    )  # fmt: skip
    assert found.better == wanted
    assert best_of({"it": found}) == ("it" if wanted else None)


def test_the_best_of_the_better_is_taken() -> None:
    def of(value: float, low: float) -> Comparison:
        return Comparison({"new": Ratio(value, 1.0, 9, Interval(low, 2.0), value)})

    found = {"wild": of(1.5, 0.9), "good": of(1.2, 1.1), "fair": of(1.1, 1.05)}
    assert best_of(found) == "good"


def gains(ratios: list[float]) -> tuple[Judged, Judged]:
    """Return one that has so many times, event by event, what the other one has."""
    generator = np.random.default_rng(4)
    base = generator.uniform(0.2, 0.4, len(ratios))
    users, order = np.arange(len(ratios)) % 50, np.zeros((1, 3))
    own = base * np.array(ratios)
    return (
        Judged(users, np.stack([own, own], axis=1), order),
        Judged(users, np.stack([base, base], axis=1), order),
    )


def test_what_is_ahead_only_at_first_is_not_better() -> None:
    lasting = compared(*gains([1.1] * 800))
    assert lasting.better
    passing = compared(*gains([1.4] * 400 + [0.98] * 400))
    assert passing.ratios["new"].ratio > 1.1
    interval = passing.ratios["new"].interval
    assert interval is not None
    assert interval.low > 1.0
    assert passing.ratios["new"].late == pytest.approx(0.98)
    assert not passing.better
    assert compared(*gains([0.99] * 200 + [1.2] * 600)).better


def test_chance_is_rarely_taken_for_a_gain() -> None:
    """Where nothing differs but noise, about one in a hundred is said to be ahead, at most."""
    generator = np.random.default_rng(9)
    better = 0
    for _ in range(300):
        one, other = (
            Judged(
                np.arange(200) % 40, np.repeat(generator.random((200, 1)), 2, axis=1),
                np.zeros((1, 3)),
            )
            for _ in range(2)
        )  # fmt: skip
        better += compared(one, other).better
    # 99%, two-sided: 1.5 of 300 are expected, as many as 8 in one case of ten thousand.
    assert better <= 8


def test_an_order_upside_down_is_found_to_be_worse() -> None:
    data = tasteful(people=120, events=1800)
    start, end = data.validation_start, len(data.events)
    vectors = np.eye(8, dtype=np.float32)[np.arange(40) % 4] * 0.5
    prior = bootstrap_scorer(ENGAGE)
    upside_down = LinearScorer(-4 * prior.weights, prior.slopes, prior.offsets)
    usual, other = (
        judged(data, one, start, end, 10**6, 8, LearningConfig())
        for one in (generation_with(vectors), generation_with(vectors, scorer_model(upside_down)))
    )
    assert compared(usual, other).better
    assert not compared(other, usual).better
