"""Differences of variants: against plain arithmetic, and what the interval promises."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.experiments.boundary import boundary, planned_drift
from services.evaluation.experiments.difference import LEAST, difference
from services.evaluation.experiments.sample_size import fixed_horizon, planned_users
from services.evaluation.experiments.sums import Sums, sums_of

PLANNED = 1000.0


def drawn(count: int, seed: int, effect: float = 0.0) -> tuple[Sums, list[float], list[float]]:
    rng = np.random.default_rng(seed)
    known = rng.standard_normal(count)
    values = 2 * known + rng.standard_normal(count) + effect
    return sums_of(values, known), values.tolist(), known.tolist()


def without_covariate(values: list[float]) -> Sums:
    return sums_of(np.asarray(values))


def test_the_mixture_reaches_its_level_on_the_boundary_and_not_before() -> None:
    """The mixture of the docstring by numeric integration over the drift."""
    alpha = 0.05
    mean = planned_drift(PLANNED, alpha)
    grid = np.linspace(-8 * mean, 8 * mean, 40_001)
    bell = np.exp(-((np.abs(grid) - mean) ** 2) / (2 * (mean / 2) ** 2))
    both = bell + np.exp(-((np.abs(grid) + mean) ** 2) / (2 * (mean / 2) ** 2))
    density = both / both.sum()
    for time in (100.0, 1000.0, 5000.0):
        edge = float(boundary(np.asarray(time), PLANNED, alpha))
        evidence = density @ np.exp(grid * edge - grid**2 * time / 2)
        assert 1 / alpha <= evidence <= 1.05 / alpha


def test_without_covariate_it_is_the_plain_difference() -> None:
    _, control, _ = drawn(80, 1)
    _, treatment, _ = drawn(120, 2)
    found = difference(without_covariate(control), without_covariate(treatment), PLANNED)
    mean = statistics.fmean(treatment) - statistics.fmean(control)
    error = math.sqrt(statistics.variance(control) / 80 + statistics.variance(treatment) / 120)
    radius = error * float(boundary(np.asarray(200.0), PLANNED, 0.05)) / math.sqrt(200)
    assert float(found.mean) == pytest.approx(mean)
    assert float(found.low) == pytest.approx(mean - radius)
    assert float(found.high) == pytest.approx(mean + radius)
    assert float(found.control) == pytest.approx(statistics.fmean(control))
    assert float(found.theta) == 0


def test_cuped_is_a_regression_on_the_covariate_within_variants() -> None:
    control, control_values, control_known = drawn(80, 1)
    treatment, treatment_values, treatment_known = drawn(120, 2)
    columns = np.zeros((200, 3))
    columns[:80, 0], columns[80:, 1] = 1, 1
    columns[:, 2] = control_known + treatment_known
    fit = np.linalg.lstsq(columns, np.asarray(control_values + treatment_values), rcond=None)[0]
    found = difference(control, treatment, PLANNED)
    assert float(found.theta) == pytest.approx(fit[2])
    assert float(found.mean) == pytest.approx(fit[1] - fit[0])
    plain = difference(
        without_covariate(control_values), without_covariate(treatment_values), PLANNED
    )
    narrower = float((found.high - found.low) / (plain.high - plain.low))
    assert narrower == pytest.approx(1 / math.sqrt(5), rel=0.15)


@given(values=st.lists(st.floats(-100, 100), min_size=2, max_size=30), cut=st.integers(0, 30))
def test_sums_of_parts_are_the_sums_of_the_whole(values: list[float], cut: int) -> None:
    whole = np.asarray(values)
    parts = sums_of(whole[:cut], whole[:cut] / 2) + sums_of(whole[cut:], whole[cut:] / 2)
    expected = sums_of(whole, whole / 2)
    for name in Sums.__slots__:
        assert getattr(parts, name) == pytest.approx(getattr(expected, name))


def test_many_states_at_once_are_each_alone() -> None:
    pairs = [(drawn(60, seed)[0], drawn(70, seed + 9)[0]) for seed in range(3)]
    stacked = [
        Sums(*(np.stack([getattr(pair[side], name) for pair in pairs]) for name in Sums.__slots__))
        for side in (0, 1)
    ]
    together = difference(stacked[0], stacked[1], PLANNED)
    alone = [difference(control, treatment, PLANNED) for control, treatment in pairs]
    assert together.low.tolist() == pytest.approx([float(one.low) for one in alone])


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        ([], []),
        ([0.0, 1.0] * LEAST, [0.0, 1.0] * (LEAST // 2 - 1)),
        ([0.1] * 1000, [0.2] * 1000),
    ],
)
def test_nothing_is_decided_on_little_or_on_what_never_varied(
    control: list[float], treatment: list[float]
) -> None:
    found = difference(without_covariate(control), without_covariate(treatment), PLANNED)
    assert (float(found.low), float(found.high)) == (-math.inf, math.inf)
    assert not found.decided


def test_an_effect_is_found_with_its_sign() -> None:
    control, better = drawn(2000, 1)[0], drawn(2000, 2, effect=1.0)[0]
    assert float(difference(control, better, PLANNED).low) > 0
    assert float(difference(better, control, PLANNED).high) < 0
    assert difference(control, better, PLANNED).decided


def test_sample_size_of_a_textbook() -> None:
    """10% against 12% at 5% and 80%: (1.959964 + .841621)^2 (.09 + .1056) / .02^2 = 3838.1 each."""
    assert fixed_horizon(0.02, 0.09, 0.1056, alpha=0.05, power=0.8) == 7677


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="effect of 0"):
        fixed_horizon(0, 1, 1, alpha=0.05, power=0.8)
    with pytest.raises(ValueError, match="3 values, but 2 covariates"):
        sums_of(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="finite"):
        sums_of(np.asarray([math.nan]))
    for planned, alpha in ((0.0, 0.05), (1.0, 0.0), (1.0, 1.0)):
        with pytest.raises(ValueError, match="planned must be"):
            boundary(np.ones(1), planned, alpha)


def test_a_plan_is_for_all_variants() -> None:
    # As the page of experiments has it: clicks of 10%, a lift of 5%.
    assert planned_users(0.1, 0.05, None, 2, 0.05, 0.8) == 115_520
    assert planned_users(10.0, 0.1, 5.0, 2, 0.05, 0.8) == fixed_horizon(1.0, 25, 25, 0.05, 0.8)
    # Three variants: half as many again, and each comparison at half of alpha.
    three = planned_users(10.0, 0.1, 5.0, 3, 0.05, 0.8)
    assert three == math.ceil(1.5 * fixed_horizon(1.0, 25, 25, 0.025, 0.8))
    for mean, lift in ((0.0, 0.1), (0.5, 0.0), (0.9, 0.2)):
        with pytest.raises(ValueError, match=r"effect|share"):
            planned_users(mean, lift, None, 2, 0.05, 0.8)
