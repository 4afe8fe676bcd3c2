"""The scorer within a training run: collected, fitted, chosen, calibrated."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from services.feedback.learner.model.outcome_definition import OutcomeDefinition
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import SystemGeneration
from services.trainer.deep_scorer import train_deep_scorer
from services.trainer.export import export_deep_scorer
from services.trainer.scorer import (
    LinearScorer,
    calibrated,
    calibration_error,
    fit_conditional_logit,
    group_quality,
)
from services.trainer.scorer_data import CandidateGroup, collect_groups
from services.trainer.timeline import Floats, Ints
from services.trainer.training_data import TrainingData

RIDGES = (10.0, 100.0, 1000.0)
_LEAST_GROUPS = 60


@dataclass(frozen=True, slots=True)
class ScorerRun:
    """The scorer fitted, None where none is better than what was learned online; the deep one as
    ONNX when it won; figures and remarks.
    """

    scorer: LinearScorer | None
    deep_model: bytes | None
    metrics: dict[str, float]
    notes: dict[str, str]


def scorer_run(
    data: TrainingData,
    generation: SystemGeneration,
    table: Floats | None,
    online: LinearScorer,
    start: int,
    end: int,
    outcomes: Sequence[OutcomeDefinition],
    at_most: int,
    config: LearningConfig,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]],
) -> ScorerRun:
    """Fit on the first half of the groups of events `start` to `end`, choose on the next quarter.

    What is reported is of the last one. generation: serves meanwhile, and has seen none of it.
    table: [N, d], where its items start: then the deep scorer is tried, too. online: what the
    system learned by itself before: its weights stay unless others are better.
    """
    with progress("scorer: test-then-train", end - start) as show:
        groups = collect_groups(data, generation, start, end, at_most, config, show)
    if len(groups) < _LEAST_GROUPS:
        note = f"as learned online: only {len(groups)} groups to fit on"
        return ScorerRun(None, None, {}, {"scorer": note})
    half, rest = len(groups) // 2, len(groups) - len(groups) // 4
    fit, choose, report = groups[:half], groups[half:rest], groups[rest:]
    tried = {"online": online.weights} | {
        f"ridge {ridge:g}": fit_conditional_logit(fit, online.weights, ridge) for ridge in RIDGES
    }
    ndcg = {name: _quality(choose, weights) for name, weights in tried.items()}
    best = max(ndcg, key=lambda name: ndcg[name])
    weights = tried[best]
    scorer = calibrated(choose, weights, outcomes, online)
    metrics = group_quality(report, [one.features @ weights for one in report]).as_metrics("scorer")
    metrics["scorer_online_ndcg10"] = _quality(report, online.weights)
    for name, error in calibration_error(report, scorer, outcomes).items():
        metrics[f"ece_{name}"] = error
    notes = {"scorer": f"{best} of {', '.join(f'{k} {v:.4f}' for k, v in ndcg.items())} (NDCG@10)"}
    model = None
    if table is not None:
        length = generation.learner.length
        model = _deep(data, table, fit, choose, report, weights, length, progress, metrics, notes)
    return ScorerRun(None if best == "online" else scorer, model, metrics, notes)


def _deep(
    data: TrainingData,
    table: Floats,
    fit: Sequence[CandidateGroup],
    choose: Sequence[CandidateGroup],
    report: Sequence[CandidateGroup],
    weights: np.ndarray,
    length: int,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]],
    metrics: dict[str, float],
    notes: dict[str, str],
) -> bytes | None:
    recent = _recent_items(data, [*fit, *choose, *report], length)
    epochs = 6

    def histories(group: CandidateGroup) -> Ints:
        return recent[group.event]

    with progress("deep scorer", epochs) as show:
        model, chosen = train_deep_scorer(
            fit, choose, histories, table, weights, epochs, on_epoch=lambda done, _: show(done)
        )
    exported = export_deep_scorer(model, report, histories, table)
    linear = _quality(choose, weights)
    metrics["deep_scorer_ndcg10"] = exported.quality
    won = chosen.ndcg > linear
    notes["deep scorer"] = (
        f"{chosen.ndcg:.4f} against {linear:.4f} of the linear one (NDCG@10): "
        + ("it won, and is written beside the generation" if won else "it did not win")
    )
    return exported.model if won else None


def _recent_items(
    data: TrainingData, groups: Sequence[CandidateGroup], length: int
) -> dict[int, Ints]:
    """Return the recent items [length] before each group's first event, NO_ITEM in front."""
    events = [group.event for group in groups]
    timeline = data.timeline_of(events)
    by_event = np.argsort(timeline.global_order)
    places = by_event[np.searchsorted(timeline.global_order, events, sorter=by_event)]
    items = timeline.histories(places, length).items
    return dict(zip(events, np.ascontiguousarray(items[:, ::-1]), strict=True))


def _quality(groups: Sequence[CandidateGroup], weights: np.ndarray) -> float:
    return group_quality(groups, [one.features @ weights for one in groups]).ndcg
