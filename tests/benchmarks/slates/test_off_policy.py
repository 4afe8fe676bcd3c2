"""The simulation of coverage, small: estimates are near the truth, and intervals are of 95%."""

import pytest

from services.evaluation.off_policy.estimators import ESTIMATORS
from tests.benchmarks.slates.off_policy import SETTINGS, coverage


@pytest.mark.parametrize(
    "name", ["one place, softmax to greedier", "one place, epsilon .2 to uniform"]
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(name: str) -> None:
    """Of 100 intervals of 95% fewer than 86 hold the truth once in 10,000 times."""
    found = coverage(SETTINGS[name], runs=100)
    assert list(found) == list(ESTIMATORS)
    for one in found.values():
        assert one.runs == 100
        assert one.covered >= 0.86
        assert abs(one.bias_in_errors) < 4
