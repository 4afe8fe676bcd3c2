"""Estimators against what can be gone through whole: the oracle is plain loops over all slates."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.arrays import Float64s
from services.evaluation.off_policy.estimate import UnsupportedError, effective_slates, estimate
from services.evaluation.off_policy.estimators import ESTIMATORS
from services.evaluation.off_policy.intervals import ratio_of_means
from services.evaluation.off_policy.logged_slate import Candidates, Exploration, LoggedSlate
from services.evaluation.off_policy.marginals import pseudo_inverse_weight
from services.evaluation.off_policy.policies import (
    EpsilonGreedy,
    Greedy,
    PlackettLuce,
    Policy,
    Uniform,
)
from services.evaluation.off_policy.weighed_log import WeighedLog, weighed_log
from services.evaluation.off_policy.weighed_slate import WeighedSlate, weighed

LOGGING: dict[str, Policy] = {
    "epsilon": EpsilonGreedy(0.4),
    "plackett_luce_temperature": PlackettLuce(0.8),
}
utilities = st.lists(
    st.floats(-2, 2).map(lambda number: round(number, 3)), min_size=3, max_size=5, unique=True
)
targets = st.sampled_from([Uniform(), Greedy(), PlackettLuce(0.5), PlackettLuce(2.0)])


def candidates_of(slate: tuple[int, ...], numbers: list[float]) -> Candidates:
    allowed = np.ones((len(slate), len(numbers)), np.bool_)
    for place, item in enumerate(slate[:-1], 1):
        allowed[place:, item] = False
    names = tuple(str(item) for item in range(len(numbers)))
    return Candidates(names, np.array(slate), np.array(numbers), {}, allowed)


def logged(
    slate: tuple[int, ...], numbers: list[float], rewards: Float64s, kind: str, user: str = "u"
) -> LoggedSlate:
    candidates = candidates_of(slate, numbers)
    policy = LOGGING[kind]
    chances = policy.choices(candidates, candidates.allowed)[np.arange(len(slate)), list(slate)]
    parameter = 0.4 if kind == "epsilon" else 0.8
    return LoggedSlate(
        "s", user, tuple(str(item) for item in slate), chances, rewards, {}, candidates,
        Exploration(kind, parameter),
    )  # fmt: skip


def all_slates(
    numbers: list[float], places: int, kind: str, target: Policy,
    reward: Callable[[tuple[int, ...]], Float64s],
) -> tuple[WeighedLog, Float64s]:  # fmt: skip
    """Return every slate once, and the probability that logging shows it."""
    rows: list[WeighedSlate] = []
    chances = []
    for slate in itertools.permutations(range(len(numbers)), places):
        one = logged(slate, numbers, reward(slate), kind)
        rows.append(weighed(one, candidates_of(slate, numbers), target))
        chances.append(one.propensities.prod())
    return weighed_log(rows), np.array(chances)


def value_of(
    target: Policy, numbers: list[float], places: int, reward: Callable[..., Float64s]
) -> float:
    total = 0.0
    for slate in itertools.permutations(range(len(numbers)), places):
        candidates = candidates_of(slate, numbers)
        chosen = target.choices(candidates, candidates.allowed)
        chance = math.prod(chosen[place, item] for place, item in enumerate(slate))
        total += chance * float(reward(slate).sum())
    return total


def additive(slate: tuple[int, ...]) -> Float64s:
    """What an item earns depends on itself and its place."""
    return np.array([(item + 1.0) / (place + 2.0) ** item for place, item in enumerate(slate)])


def cascade(slate: tuple[int, ...]) -> Float64s:
    """What an item earns depends on itself and those above."""
    return np.array([(item + 1.0) / (1 + sum(slate[:place])) for place, item in enumerate(slate)])


def any_reward(slate: tuple[int, ...]) -> Float64s:
    """What an item earns depends on all."""
    return np.array([(item + 1.0) * slate[-1] - place for place, item in enumerate(slate)])


ASSUMED = [
    ("ips", any_reward), ("snips", any_reward), ("cascade_ips", cascade), ("dr", cascade),
    ("position_ips", additive), ("pseudo_inverse", additive),
]  # fmt: skip


@settings(max_examples=30)
@given(numbers=utilities, kind=st.sampled_from(list(LOGGING)), target=targets)
@pytest.mark.parametrize(("name", "reward"), ASSUMED)
def test_the_mean_of_an_estimator_is_the_value_under_what_it_assumes(
    name: str, reward: Callable[..., Float64s], numbers: list[float], kind: str, target: Policy
) -> None:
    """Over all slates, each as often as logging shows it."""
    log, chances = all_slates(numbers, 2, kind, target, reward)
    terms = ESTIMATORS[name](log)
    mean = (chances * terms.numerator).sum() / (chances * terms.denominator).sum()
    assert mean == pytest.approx(value_of(target, numbers, 2, reward), abs=1e-7)


@settings(max_examples=30)
@given(numbers=utilities, places=st.integers(1, 3), target=targets)
def test_the_pseudo_inverse_of_uniform_logging_is_as_by_going_through_all_slates(
    numbers: list[float], places: int, target: Policy
) -> None:
    """PlackettLuce so hot that it is uniform takes the long way."""
    for slate in itertools.permutations(range(len(numbers)), places):
        candidates = candidates_of(slate, numbers)
        short = pseudo_inverse_weight(candidates, Uniform(), target)
        long = pseudo_inverse_weight(candidates, PlackettLuce(1e9), target)
        assert short == pytest.approx(long, abs=1e-5)


def drawn(count: int, kind: str, target: Policy, users: int = 200) -> WeighedLog:
    random = np.random.default_rng(3)
    numbers = [0.3, -0.2, 0.9, 0.0]
    rows = []
    for number in range(count):
        slate: tuple[int, ...] = ()
        for _ in range(2):
            candidates = candidates_of((*slate, 0), numbers)
            allowed = np.ones((1, 4), np.bool_)
            allowed[0, list(slate)] = False
            chances = LOGGING[kind].choices(candidates, allowed)[0]
            slate = (*slate, int(random.choice(4, p=chances)))
        rewards = (random.random(2) < 0.3).astype(np.float64)
        one = logged(slate, numbers, rewards, kind, f"u{number % users}")
        rows.append(weighed(one, candidates_of(slate, numbers), target))
    return weighed_log(rows)


def test_a_report_has_every_estimator_with_an_interval_around_its_value() -> None:
    report = estimate(drawn(600, "epsilon", Uniform()))
    assert [one.estimator for one in report.estimates] == list(ESTIMATORS)
    for one in report.estimates:
        assert one.value is not None
        assert one.interval is not None
        assert one.interval.low < one.value < one.interval.high
        assert one.interval.low < 0.6 < one.interval.high
        assert 50 <= one.effective_slates <= 600
        assert one.max_weight >= 1
    assert report.unmet == 0
    assert report.mean_weight == pytest.approx(1, abs=0.2)


def test_the_policy_that_logged_is_worth_what_was_logged() -> None:
    report = estimate(drawn(400, "epsilon", EpsilonGreedy(0.4)))
    for one in report.estimates:
        if one.estimator != "dr":
            assert one.value == pytest.approx(report.logged)
            assert one.difference == pytest.approx(0, abs=1e-12)
            assert one.interval == pytest.approx(report.logged_interval)
        assert one.effective_slates == pytest.approx(400)


def test_too_little_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="too few: 99 slates of 99 users"):
        estimate(drawn(99, "epsilon", Uniform()))
    with pytest.raises(UnsupportedError, match="too few: 200 slates of 29 users"):
        estimate(drawn(200, "epsilon", Uniform(), users=29))


def test_what_logging_never_showed_is_refused() -> None:
    """A slate without chance supports itself alone."""
    rows = []
    for number in range(200):
        slate = LoggedSlate(
            "s", f"u{number}", ("2", "0"), np.ones(2), np.ones(2), {}, None, Exploration()
        )
        rows.append(weighed(slate, candidates_of((2, 0), [0.3, -0.2, 0.9, 0.0]), Uniform()))
    with pytest.raises(UnsupportedError, match=r"support is missing: about 91\.7%"):
        estimate(weighed_log(rows))
    same = weighed(slate, candidates_of((2, 0), [0.3, -0.2, 0.9, 0.0]), Greedy())
    assert not same.unmet.any()


def test_propensities_that_are_too_high_show_in_the_mean_weight() -> None:
    log = drawn(2000, "epsilon", Uniform())
    log.ratios[:] *= 0.8
    with pytest.raises(UnsupportedError, match="the mean weight is 0") as refused:
        estimate(log, propensities_off=0.2)
    assert "weights over 2 places have long tails" in str(refused.value)
    assert "nearer to the logging policy" not in str(refused.value)
    with pytest.raises(UnsupportedError, match="Take a target nearer to the logging policy"):
        estimate(log, propensities_off=3e-8)


def test_few_slates_in_effect_are_refused_by_estimator() -> None:
    log = drawn(400, "epsilon", Uniform())
    log.ratios[:] = 1e-3
    log.ratios[:3, 0] = 120.0
    log.ratios[:3, 1] = 1.1
    (one,) = estimate(log, ["ips"]).estimates
    assert one.value is None
    assert "3.0 slates in effect" in one.refused


def test_effective_slates_are_those_of_the_worst_place() -> None:
    weights = np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert effective_slates(weights) == pytest.approx(2)


@given(
    scale=st.floats(0.1, 10), shift=st.floats(-5, 5),
    values=st.lists(st.floats(-3, 3), min_size=5, max_size=40).filter(lambda v: np.std(v) > 0.01),
)  # fmt: skip
def test_intervals_move_and_stretch_with_what_is_measured(
    scale: float, shift: float, values: list[float]
) -> None:
    given_, users = np.array(values), np.arange(len(values))
    one = ratio_of_means(given_, np.ones(len(values)), users)
    other = ratio_of_means(given_ * scale + shift, np.ones(len(values)), users)
    assert other.value == pytest.approx(one.value * scale + shift, abs=1e-9)
    for end, moved in zip(one.interval, other.interval, strict=True):
        assert moved == pytest.approx(end * scale + shift, abs=1e-6)


def test_the_interval_of_symmetric_values_is_that_of_student() -> None:
    """t of 9 degrees of freedom at .975 is 2.2622."""
    values = np.array([-2.0, -1.0, 0.0, 1.0, 2.0] * 2)
    found = ratio_of_means(values, np.ones(10), np.arange(10))
    error = values.std(ddof=1) / math.sqrt(10)
    assert found.interval.high == pytest.approx(2.2622 * error, abs=2e-3)
    assert found.interval.low == pytest.approx(-found.interval.high)


def test_users_are_the_units() -> None:
    """Every slate twice, by the same user, tells no more than once."""
    values = np.random.default_rng(1).exponential(size=50)
    once = ratio_of_means(values, np.ones(50), np.arange(50))
    twice = ratio_of_means(np.repeat(values, 2), np.ones(100), np.repeat(np.arange(50), 2))
    assert twice.interval == pytest.approx(once.interval)
