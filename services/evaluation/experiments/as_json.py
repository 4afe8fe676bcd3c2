"""A report as JSON has it."""

import math
from typing import Any

from services.evaluation.experiments.report import Comparison, Report


def as_json(report: Report) -> dict[str, Any]:
    """Return everything that a report says; ends of intervals that are infinite are null."""
    design = report.design
    names = [metric.name for metric in design.metrics]
    return {
        "says_nothing": report.ratio.mismatched,
        "sample_ratio": {
            "mismatched": report.ratio.mismatched,
            "log_evidence": report.ratio.log_evidence,
        },
        "window_seconds": design.window_us / 1e6,
        "planned_users": design.planned,
        "alpha": design.alpha,
        "users": sum(variant.users for variant in report.variants),
        "counted": report.counted,
        "mixed": report.mixed,
        "unknown_exposures": report.unknown,
        "variants": [
            {
                "variant": variant.name,
                "share": variant.share,
                "users": variant.users,
                "counted": variant.counted,
                "slates": variant.slates,
                "not_served": variant.not_served,
                "means": None
                if report.ratio.mismatched
                else dict(zip(names, map(_number, variant.means), strict=True)),
            }
            for variant in report.variants
        ],
        "comparisons": [_comparison(one) for one in report.comparisons],
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    found = one.difference
    control, mean = float(found.control), float(found.mean)
    return {
        "metric": one.metric,
        "variant": one.variant,
        "control": control,
        "difference": mean,
        "low": _number(float(found.low)),
        "high": _number(float(found.high)),
        "lift": _number(mean / control) if control else None,
        "decided": bool(found.decided),
        "theta": float(found.theta),
        "verdict": None if one.verdict is None else one.verdict.value,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
