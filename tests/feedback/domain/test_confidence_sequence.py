"""The confidence sequence covers at all times, whatever is looked at, and decides."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.learner.model.confidence_sequence import (
    ALPHA,
    NO_CONFIDENCE,
    ConfidenceSequence,
)

_differences = st.lists(st.floats(-1, 1), max_size=60)


def interval_by_definition(differences: list[float]) -> tuple[float, float]:
    """Theorem 2 of arXiv 2010.09686, each sum written out."""
    if not differences:
        return -1.0, 1.0
    values = [(one + 1) / 2 for one in differences]
    log = math.log(2 / ALPHA)
    means = [(0.5 + sum(values[:t])) / (t + 1) for t in range(len(values))]
    lambdas, terms = [], []
    for t, value in enumerate(values):
        spread = sum((v - m) ** 2 for v, m in zip(values[:t], means[:t], strict=True))
        variance = (0.25 + spread) / (t + 1)
        one = min(math.sqrt(2 * log / (variance * (t + 1) * math.log(2 + t))), 0.5)
        lambdas.append(one)
        psi = (-math.log(1 - one) - one) / 4
        terms.append(4 * (value - means[t]) ** 2 * psi)
    weight = sum(lambdas)
    centre = sum(a * b for a, b in zip(lambdas, values, strict=True)) / weight
    radius = (log + sum(terms)) / weight
    return max(-1.0, 2 * (centre - radius) - 1), min(1.0, 2 * (centre + radius) - 1)


@settings(max_examples=100)
@given(_differences, st.integers(0, 60))
def test_running_sums_give_the_interval_of_the_definition(
    differences: list[float], cut: int
) -> None:
    first = NO_CONFIDENCE.with_differences(np.array(differences[:cut]))
    whole = first.with_differences(np.array(differences[cut:]))
    assert whole == NO_CONFIDENCE.with_differences(np.array(differences))
    np.testing.assert_allclose(
        whole.interval(), interval_by_definition(differences), rtol=1e-9, atol=1e-9
    )


def test_the_truth_is_covered_at_all_times_in_almost_all_runs() -> None:
    """300 runs of 1,500 differences each, looked at after every one: about 1% may fail."""
    chance = np.random.default_rng(5)
    failures = 0
    for _ in range(300):
        evidence = ConfidenceSequence()
        for block in chance.choice([-0.6, 0.1, 0.5], p=[0.3, 0.3, 0.4], size=(100, 15)):
            evidence = evidence.with_differences(block)
            lower, upper = evidence.interval()
            if not lower <= 0.05 <= upper:
                failures += 1
                break
    assert failures <= 9


def test_what_is_better_is_found_to_be() -> None:
    chance = np.random.default_rng(6)
    differences = np.clip(chance.normal(0.02, 0.2, 20_000), -1, 1)
    lower, upper = NO_CONFIDENCE.with_differences(differences).interval()
    assert 0 < lower < 0.02 < upper < 0.04
