"""Everything a comparison found, for machines."""

from dataclasses import asdict
from typing import Any

from services.evaluation.curves import cumulative_ndcg, staleness
from services.evaluation.evaluate import Evaluation, Plan
from services.evaluation.summary import ArmSummary, Figures, Ratio, SegmentSummary


def as_json(evaluation: Evaluation, plan: Plan) -> dict[str, Any]:
    """Return a JSON object; times in seconds or microseconds as named."""
    rules = plan.rules
    first = rules.cutoffs[0]
    arms = evaluation.summary.arms
    return {
        "protocol": {
            **asdict(rules),
            "protocol": rules.protocol.value,
            "repeats": rules.repeats.value,
            "unseen_items": rules.unseen_items.value,
            "statement": rules.statement(),
            "dimension": plan.dimension,
            "slates_logged": plan.slates,
            "trained_before_split": plan.train,
            "generation": None if plan.generation is None else str(plan.generation),
        },
        "data": {**evaluation.data, "split_us": evaluation.split_us},
        "groups": evaluation.outcomes.groups,
        "ranked_groups": evaluation.outcomes.ranked_groups,
        "scored_events": int(evaluation.outcomes.users.size),
        "not_scored_events": evaluation.outcomes.not_scored,
        "catalogue": evaluation.outcomes.catalogue,
        "arms": {arm.name: _arm(arm) for arm in arms},
        "published_not_measured_here": [asdict(one) for one in evaluation.published],
        "skipped": evaluation.outcomes.skipped,
        "segments": {part.name: _segment(part) for part in evaluation.summary.segments},
        "staleness": staleness({arm.name: arm.figures[0].ndcg for arm in arms}),
        "cumulative_ndcg": {
            name: {
                "events": curve.events.tolist(),
                "times_us": curve.times_us.tolist(),
                "values": curve.values.tolist(),
            }
            for name, curve in cumulative_ndcg(evaluation.outcomes, first).items()
        },
        "seconds": evaluation.seconds,
        "peak_memory_bytes": evaluation.peak_bytes,
    }


def _arm(arm: ArmSummary) -> dict[str, Any]:
    return {
        "figures": [_figures(figures) for figures in arm.figures],
        "coverage": arm.coverage,
        "novelty_bits": arm.novelty,
        "expected_calibration_error": arm.calibration_error,
        "cost": {
            "fit_seconds": arm.cost.fit_seconds,
            "fit_us_per_event": arm.cost.fit_us(),
            "fit_memory_bytes": arm.cost.fit_bytes,
            "update_us_per_event": arm.cost.update_us(),
            "rank_us": arm.cost.rank_us(),
        },
    }


def _segment(segment: SegmentSummary) -> dict[str, Any]:
    return {
        "events": segment.events,
        "users": segment.users,
        "arms": {name: _figures(figures) for name, figures in segment.figures.items()},
        "ndcg_of_full_over": {ratio.over: _ratio(ratio) for ratio in segment.ratios},
    }


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {"value": ratio.value, "interval_95": ratio.interval}


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "cutoff": figures.cutoff,
        "hit_rate": figures.hit_rate,
        "ndcg": figures.ndcg,
        "ndcg_interval_95": figures.ndcg_interval,
        "mrr": figures.mrr,
    }
