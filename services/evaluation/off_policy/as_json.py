"""Off-policy estimates for machines."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.evaluation.off_policy.estimate import Estimate
from services.evaluation.off_policy.evaluation import TargetReport


def as_json(
    reports: Sequence[TargetReport], refused: Mapping[str, str], reward: Mapping[str, float]
) -> dict[str, Any]:
    """Return a JSON object; values are rewards a slate, `refused` targets with why."""
    return {
        "reward": dict(reward),
        "targets": {one.target: _target(one) for one in reports},
        "refused": dict(refused),
    }


def _target(one: TargetReport) -> dict[str, Any]:
    report = one.report
    return {
        "slates": report.slates,
        "users": report.users,
        "left_out": dict(one.left_out),
        "logged": {"value": report.logged, "interval_95": report.logged_interval},
        "unmet_share": report.unmet,
        "mean_weight": report.mean_weight,
        "propensities_off": one.propensities_off,
        "estimates": {found.estimator: _estimate(found) for found in report.estimates},
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {
        "value": found.value,
        "interval_95": found.interval,
        "over_logged": found.difference,
        "over_logged_interval_95": found.difference_interval,
        "effective_slates": found.effective_slates,
        "max_weight": found.max_weight,
        "refused": found.refused or None,
    }
