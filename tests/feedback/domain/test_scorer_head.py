"""The head of the scorer against a plain loop, and that it learns what is there to be learned."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from services.feedback.learner.model.attribution_joiner import (
    AttributionConfig,
    AttributionJoiner,
    Joined,
    JoinerItem,
)
from services.feedback.learner.model.calibration import Calibration, CalibrationConfig
from services.feedback.learner.model.outcome_definition import ReturnWindow
from services.feedback.learner.model.pending_slate import PendingSlate
from services.feedback.learner.model.returns import KnownReturn
from services.feedback.learner.model.scorer_head import DelayedLesson, HeadConfig, ScorerHead
from tests.feedback.domain.slates import OUTCOMES, clicked, shown

ITEMS = ("a", "b", "c", "d", "e")
COLUMNS = 3


def head(**fields: float) -> ScorerHead:
    return ScorerHead(OUTCOMES, COLUMNS, HeadConfig(**fields))


def settled(
    chance: np.random.Generator, count: int, clicks: Sequence[Sequence[str]] | None = None
) -> list[PendingSlate]:
    joiner = AttributionJoiner(AttributionConfig(settle_us=1, max_slates_per_user=10_000))
    items = []
    for number in range(count):
        features = chance.standard_normal((5, COLUMNS)).astype(np.float32)
        logits = chance.standard_normal((5, 2)).astype(np.float32)
        user = f"u:{number}".encode()
        slate = shown(f"s{number}", ITEMS, user, logits=logits, features=features)
        items.append(JoinerItem(1, slate))
        if clicks is not None:
            items += [JoinerItem(2, clicked(f"s{number}", item, user)) for item in clicks[number]]
    return joiner.take(items, 10, OUTCOMES).settled


def order_of(theta: np.ndarray, z: float, x: np.ndarray) -> float:
    """What scorer_head.py states, for one example and outcome."""
    weights = sum(float(w) * float(v) for w, v in zip(theta[1:-2], x, strict=True))
    return float(theta[0] * z + weights)


def test_one_step_is_the_plain_loop() -> None:
    chance = np.random.default_rng(3)
    slates = settled(chance, 7, [["a"], [], ["b", "c"], ["e"], [], ["a"], ["d"]])
    own = head(clip=0.9, rate=0.1, l2=0.01)
    for _ in range(4):
        theta, squares = own.parameters.copy(), own.accumulators.copy()
        slope, slope_squares = own.slopes.copy(), own.slope_squares.copy()
        total, slope_total = np.zeros_like(theta), np.zeros_like(slope)
        # All slates have five items.
        middle = [
            float(np.mean([
                order_of(theta[outcome], float(one.slate.logits[place, outcome]),
                         one.slate.features[place])
                for one in slates for place in range(5)
            ]))
            for outcome in range(2)
        ]  # fmt: skip
        for pending in slates:
            gradient = np.zeros_like(theta)
            slope_gradient = np.zeros_like(slope)
            for outcome in range(2):
                inputs, logits = [], []
                for place in range(5):
                    x = pending.slate.features[place]
                    z = float(pending.slate.logits[place, outcome])
                    order = order_of(theta[outcome], z, x)
                    by_place = theta[outcome, -1] * math.log2(1 + place)
                    logits.append(order + by_place)
                    inputs.append(np.array([z, *x, 0, math.log2(1 + place)]))
                    logit = slope[outcome] * order + theta[outcome, -2] + by_place
                    error = 1 / (1 + math.exp(-logit)) - pending.labels[place, outcome]
                    gradient[outcome, -2] += error
                    slope_gradient[outcome] += error * (order - middle[outcome])
                winners = [n for n in range(5) if pending.labels[n, outcome]]
                losers = [n for n in range(5) if n not in winners]
                for i in winners:
                    for j in losers:
                        share = 1 / (1 + math.exp(logits[i] - logits[j])) / len(losers)
                        gradient[outcome] -= share * (inputs[i] - inputs[j])
            for outcome in range(2):
                level = gradient[outcome, -2]
                gradient[outcome, -2] = 0.0
                norm = float(np.linalg.norm(gradient[outcome]))
                gradient[outcome] *= min(1.0, 0.9 / max(norm, 1e-12))
                gradient[outcome, -2] = max(-0.9, min(0.9, level))
            total += gradient
            squares += gradient**2
            slope_gradient *= np.minimum(1.0, 0.9 / np.abs(slope_gradient))
            slope_total += slope_gradient
            slope_squares += slope_gradient**2
        start = np.zeros_like(theta)
        start[:, 0] = 1
        step = 0.1 * (total + 0.01 * 7 * (theta - start)) / np.sqrt(squares)
        expected = theta - np.clip(step, -0.5, 0.5)
        expected[:, 0] = np.clip(expected[:, 0], 0.25, 4)
        assert own.train(slates, [])
        slope_step = 0.1 * (slope_total + 0.01 * 7 * (slope - 1)) / np.sqrt(slope_squares)
        # The logit at the middle order is for the level to move.
        expected[:, -2] += slope_step * middle
        np.testing.assert_allclose(own.slopes, slope - slope_step, rtol=0, atol=1e-9)
        np.testing.assert_allclose(own.slope_squares, slope_squares, rtol=0, atol=1e-9)
        np.testing.assert_allclose(own.parameters, expected, rtol=0, atol=1e-9)
        np.testing.assert_allclose(own.accumulators, squares, rtol=0, atol=1e-9)


def test_learns_a_planted_preference_and_is_calibrated() -> None:
    """Clicks follow the second feature and a place effect; the scorer knows nothing of either."""
    chance = np.random.default_rng(1)
    own = head()
    truth = np.array([0.0, 1.5, 0.0])
    for number in range(400):
        slates = settled(chance, 10)
        for pending in slates:
            x = pending.slate.features.astype(np.float64)
            logits = x @ truth - 1.0 - 0.6 * np.log2(1.0 + np.arange(5))
            pending.labels[:, 0] = chance.random(5) < 1 / (1 + np.exp(-logits))
        own.train(slates, [])
        assert number < 1 or np.isfinite(own.parameters).all()
    gain, w0, w1, w2, bias, place = own.parameters[0].tolist()
    assert w1 == pytest.approx(1.5, abs=0.25)
    assert abs(w0) < 0.2
    assert abs(w2) < 0.2
    # The scorer's logit is noise here: it may count little only, but never turns around.
    assert 0.25 <= gain < 0.5
    assert bias == pytest.approx(-1.0, abs=0.35)
    assert place == pytest.approx(-0.6, abs=0.25)


def test_slates_of_which_nothing_was_taken_move_the_level_only() -> None:
    """What was shown and left was shown because it is good: that must not turn weights around."""
    own = head()
    for _ in range(50):
        own.train(settled(np.random.default_rng(8), 20), [])
    start = np.zeros_like(own.parameters)
    start[:, 0] = 1.0
    moved = own.parameters - start
    assert (moved[:, -2] < -1).all()
    moved[:, -2] = 0
    assert not moved.any()


def test_a_late_outcome_takes_the_place_of_the_negative_example() -> None:
    joiner = AttributionJoiner(AttributionConfig(settle_us=1))
    features = np.eye(5, COLUMNS, dtype=np.float32)
    slate = shown("s", ITEMS, features=features)
    own = head(clip=100.0, l2=0.0, first_square=1e12)
    start = own.parameters.copy()
    own.train(joiner.take([JoinerItem(1, slate)], 5, OUTCOMES).settled, [])
    own.train([], joiner.take([JoinerItem(6, clicked("s", "b"))], 6, OUTCOMES).late)
    corrected = own.parameters - start
    joiner = AttributionJoiner(AttributionConfig(settle_us=1))
    whole = joiner.take([JoinerItem(1, slate), JoinerItem(2, clicked("s", "b"))], 5, OUTCOMES)
    other = head(clip=100.0, l2=0.0, first_square=1e12)
    other.train(whole.settled, [])
    # With tiny steps the two orders lead to the same.
    np.testing.assert_allclose(corrected, other.parameters - start, rtol=1e-4, atol=1e-13)


def test_slates_of_another_generation_and_one_noisy_user_teach_nothing_much() -> None:
    chance = np.random.default_rng(5)
    own = head()
    foreign = AttributionJoiner(AttributionConfig(settle_us=1)).take(
        [JoinerItem(1, shown("s", ITEMS, generation_id="old"))], 9, OUTCOMES
    )
    assert not own.train(foreign.settled, [])
    noisy = settled(chance, 500, [["a"]] * 500)
    for pending in noisy:
        object.__setattr__(pending.slate, "user_key", b"u:noisy")
    one = settled(np.random.default_rng(5), 1, [["a"]])
    before = own.parameters.copy()
    own.train(noisy, [])
    by_noisy = np.abs(own.parameters - before).max()
    single = head(clip=2.0)
    single.train(one, [])
    # 500 slates of one user move no parameter further than the step of one user can.
    assert by_noisy <= 0.05 * (2.0 / math.sqrt(0.1 + 4.0)) + 0.05 + 1e-9
    squares = own.accumulators - 0.1
    assert squares[:, -2].max() <= 4.0 + 1e-9
    assert np.delete(squares, -2, axis=1).sum(axis=1).max() <= 4.0 + 1e-9
    assert np.abs(own.slopes - 1.0).max() <= 0.05 * 2.0 / math.sqrt(0.1)
    assert (own.slope_squares - 0.1).max() <= 4.0 + 1e-9


def test_an_order_that_is_too_sure_of_itself_is_not_believed() -> None:
    """Choices made the order steep; what it is worth, slates say, and the order stays."""
    chance = np.random.default_rng(7)
    own = head()
    predicted, came_true = [], []
    for number in range(400):
        slates = settled(chance, 10)
        for pending in slates:
            order = 3.0 * pending.slate.logits[:, 0].astype(np.float64)
            pending.labels[:, 0] = chance.random(5) < 1 / (1 + np.exp(2.0 - 0.4 * order))
            own.parameters[0, :-2] = [3.0, 0.0, 0.0, 0.0]
            if number > 300:
                sure = own.slopes[0] * order + own.parameters[0, -2]
                predicted.append(1 / (1 + np.exp(-sure)))
                came_true.append(pending.labels[:, 0])
        own.train(slates, [])
    assert own.slopes[0] == pytest.approx(0.4, abs=0.05)
    found, actual = np.concatenate(predicted), np.concatenate(came_true)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 1.0)):
        inside = (found >= low) & (found < high)
        assert found[inside].mean() == pytest.approx(actual[inside].mean(), abs=0.03)


def test_calibration_is_the_binned_error() -> None:
    """ECE against its definition; a late outcome counts as come true."""
    calibration = Calibration(CalibrationConfig(half_life=1e12))
    chance = np.random.default_rng(2)
    slates = settled(chance, 40, [["a"] if n % 3 else [] for n in range(40)])
    keys = calibration.add(OUTCOMES, slates, Joined().late)
    assert keys == [("", "click"), ("", "buy")]
    predicted = np.concatenate([one.slate.probabilities[:, 0] for one in slates])
    actual = np.concatenate([one.labels[:, 0] for one in slates])
    error = 0.0
    for number in range(10):
        inside = (predicted >= number / 10) & (predicted < (number + 1) / 10)
        if inside.any():
            gap = abs(predicted[inside].mean() - actual[inside].mean())
            error += gap * inside.mean()
    examples, mean, came_true, ece = calibration.sums(("", "click")).figures()
    assert examples == pytest.approx(200)
    assert mean == pytest.approx(predicted.mean(), abs=1e-6)
    assert came_true == pytest.approx(actual.mean())
    assert ece == pytest.approx(error, abs=1e-6)


DELAYED = replace(
    OUTCOMES,
    definitions=(
        OUTCOMES.definitions[0],
        replace(OUTCOMES.definitions[1], returns=ReturnWindow(5_000_000, 9_000_000)),
    ),
)


def test_a_delayed_outcome_learns_once_it_is_known_what_any_outcome_learns() -> None:
    """Bit by bit: the head of an outcome does not know when it came true."""
    chance = np.random.default_rng(12)
    slates = settled(chance, 9, [["a"], [], ["b", "c"], ["e"], [], ["a"], ["d"], [], []])
    for pending in slates:
        pending.labels[:, 1] = pending.taken & (chance.random(5) < 0.5)
    for pending in slates[:2]:
        pending.labels[2, 1] = True
    whole, later = head(), ScorerHead(DELAYED, COLUMNS, HeadConfig())
    for at in (slates[:5], slates[5:]):
        whole.train(at, [])
        known = []
        for pending in at:
            first, second = pending.copy(), pending.copy()
            first.labels[:, 1] = second.labels[:, 0] = False
            later.train([first], [])
            known.append(DelayedLesson(second, 1))
        assert not later.train([], [])
        before = later.parameters[0].copy()
        later.train([], [], known)
        assert later.parameters[0].tobytes() == before.tobytes()
        assert later.parameters[1].tobytes() == whole.parameters[1].tobytes()
        assert later.accumulators[1].tobytes() == whole.accumulators[1].tobytes()
    assert np.abs(later.parameters[1, 1:-2]).max() > 0.01
    assert later.slates == whole.slates == 9


def test_a_delayed_outcome_says_nothing_before_it_is_known() -> None:
    """Neither the level nor the order, nor what was predicted against what came true."""
    slates = settled(np.random.default_rng(4), 30, [["a"]] * 30)
    own = ScorerHead(DELAYED, COLUMNS, HeadConfig())
    start = own.parameters.copy()
    own.train(slates, [])
    assert np.array_equal(own.parameters[1], start[1])
    assert (own.parameters[0] != start[0]).any()
    calibration = Calibration(CalibrationConfig(half_life=1e12))
    assert calibration.add(DELAYED, slates, []) == [("", "click")]
    known = [KnownReturn(one, "buy", 1, one.taken) for one in slates]
    assert calibration.add(DELAYED, [], [], known) == [("", "buy")]
    examples, predicted, actual, _ = calibration.sums(("", "buy")).figures()
    served = np.concatenate([one.slate.probabilities[:, 1] for one in slates])
    assert examples == pytest.approx(150)
    assert predicted == pytest.approx(served.mean(), abs=1e-6)
    assert actual == pytest.approx(0.2)
