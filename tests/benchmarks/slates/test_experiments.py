"""The simulations of experiments, on few runs."""

from tests.benchmarks.slates.experiments import (
    false_alarms_on_clicks,
    false_alarms_on_values,
    lift_found,
)


def test_few_runs_stay_near_the_promises() -> None:
    assert false_alarms_on_clicks(runs=40) <= 0.15
    assert false_alarms_on_values(runs=40, looks=50) <= 0.15
    found = lift_found(runs=40)
    assert found.mean < 1.6
    assert found.wrong == 0
