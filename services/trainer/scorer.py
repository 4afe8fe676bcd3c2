"""The scorer: a conditional logit over candidates, then one calibrated logit per outcome.

Source of the model: McFadden 1974, "Conditional logit analysis of qualitative choice behavior": of
candidates x_j one is taken with probability softmax(w . x)_j. Fitted by Newton's method with a
ridge towards the weights of the bootstrap scorer, so that with little data it stays there.

An outcome's logit is ``slope * (w . x) + offset``: the slope is the bootstrap's, the offset fitted
on groups that did not fit w, for the ten best candidates of each, which is what a user would have
been shown. Outcomes that were hardly seen keep the bootstrap's offset.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper

from services.common.candidate_features import COLUMNS
from services.common.onnx_model import INPUTS, OUTPUTS, SCORER, open_session
from services.feedback.generations.domain.bootstrap_models import prior_scorer
from services.feedback.generations.domain.model_check import model_fault
from services.feedback.learner.model.outcome_definition import OutcomeDefinition
from services.system.calibration import Calibration
from services.trainer.ranking import Quality, quality_of
from services.trainer.scorer_data import CandidateGroup

Doubles = npt.NDArray[np.float64]
SHOWN = 10
_LEAST_POSITIVES = 50


@dataclass(frozen=True, slots=True)
class LinearScorer:
    """weights: [columns]; slopes, offsets: [outcomes]. Logits: (x . weights) slopes + offsets."""

    weights: Doubles
    slopes: Doubles
    offsets: Doubles


def bootstrap_scorer(outcomes: Sequence[OutcomeDefinition]) -> LinearScorer:
    """Return what the bootstrap generation scores with: its slopes are relative to w."""
    session = open_session(prior_scorer(outcomes))
    rows = np.concatenate([np.zeros((1, len(COLUMNS))), np.eye(len(COLUMNS))]).astype(np.float32)
    scores = session.run([OUTPUTS[SCORER]], {INPUTS[SCORER]: rows})[0].astype(np.float64)
    columns = scores[1:] - scores[0]
    first = int(np.argmax(np.abs(columns).sum(axis=0)))
    slope = 0.25
    weights = columns[:, first] / slope
    scale = float(weights @ weights) or 1.0
    return LinearScorer(weights, columns.T @ weights / scale, scores[0])


def with_learned(scorer: LinearScorer, learned: Doubles, outcome: int = 0) -> LinearScorer:
    """Return a scorer in the order of `scorer` with what a head learned on top of it.

    learned: [columns], added to the logit of an outcome that has a slope.
    """
    weights = scorer.weights + learned / scorer.slopes[outcome]
    return LinearScorer(weights, scorer.slopes, scorer.offsets)


def fit_conditional_logit(
    groups: Sequence[CandidateGroup], prior: Doubles, ridge: float = 10.0, steps: int = 30
) -> Doubles:
    """Return weights [columns] that maximise the likelihood of what was taken.

    prior: [columns], where the ridge pulls to. ridge: > 0, in units of taken items. Groups of
    which nothing taken was a candidate say nothing.
    """
    useful = [group for group in groups if group.taken.size]
    weights = prior.copy()
    value = _penalised(useful, weights, prior, ridge)
    for _ in range(steps):
        gradient, hessian = _slopes(useful, weights, prior, ridge)
        move = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-4:
            tried = weights + size * move
            better = _penalised(useful, tried, prior, ridge)
            if better >= value:
                break
            size /= 2
        else:
            break
        gain, weights, value = better - value, tried, better
        if gain <= 1e-9 * max(1.0, abs(value)):
            break
    return weights


def _penalised(
    groups: Sequence[CandidateGroup], weights: Doubles, prior: Doubles, ridge: float
) -> float:
    total = -0.5 * ridge * float(np.sum((weights - prior) ** 2))
    for group in groups:
        scores = group.features @ weights
        peak = float(scores.max())
        total += float(scores[group.taken].sum())
        total -= len(group.taken) * (peak + float(np.log(np.exp(scores - peak).sum())))
    return total


def _slopes(
    groups: Sequence[CandidateGroup], weights: Doubles, prior: Doubles, ridge: float
) -> tuple[Doubles, Doubles]:
    gradient = -ridge * (weights - prior)
    hessian = ridge * np.eye(len(weights))
    for group in groups:
        features = group.features.astype(np.float64)
        scores = features @ weights
        chance = np.exp(scores - scores.max())
        chance /= chance.sum()
        mean = chance @ features
        count = len(group.taken)
        gradient += features[group.taken].sum(axis=0) - count * mean
        hessian += count * ((features * chance[:, None]).T @ features - np.outer(mean, mean))
    return gradient, hessian


def group_quality(groups: Sequence[CandidateGroup], scores: Sequence[npt.NDArray]) -> Quality:
    """Return how high scores [c] per group rank what was taken; what was no candidate is missed."""
    ranks: list[float] = []
    for group, score in zip(groups, scores, strict=True):
        for row in group.taken.tolist():
            above = int((score > score[row]).sum())
            level = int((score == score[row]).sum())
            ranks.append(above + (level + 1) / 2.0)
        ranks += [np.inf] * group.missed
    return quality_of(np.array(ranks))


def calibrated(
    groups: Sequence[CandidateGroup],
    weights: Doubles,
    outcomes: Sequence[OutcomeDefinition],
    prior: LinearScorer,
) -> LinearScorer:
    """Return the scorer with an offset per outcome, fitted on these groups.

    Slopes stay: learning from choices (services/feedback/learner/model/choices) begins at a scale
    that fits them, and with others it would take thousands of events to find its own.
    """
    scores, shown = shown_scores(groups, weights)
    offsets = prior.offsets.copy()
    for column, outcome in enumerate(outcomes):
        labels = outcome_labels(groups, shown, outcome)
        if labels.sum() >= _LEAST_POSITIVES and prior.slopes[column] > 0:
            offsets[column] = level(scores * prior.slopes[column], labels)
    return LinearScorer(weights, prior.slopes, offsets)


def calibration_error(
    groups: Sequence[CandidateGroup],
    scorer: LinearScorer,
    outcomes: Sequence[OutcomeDefinition],
) -> dict[str, float]:
    """Return the expected calibration error per outcome on the ten best of each group."""
    scores, shown = shown_scores(groups, scorer.weights)
    errors: dict[str, float] = {}
    for column, outcome in enumerate(outcomes):
        labels = outcome_labels(groups, shown, outcome)
        counted = Calibration()
        chance = 1 / (1 + np.exp(-(scores * scorer.slopes[column] + scorer.offsets[column])))
        counted.add(chance, labels)
        error = counted.error()
        if error is not None and labels.any():
            errors[outcome.name] = error
    return errors


def shown_scores(
    groups: Sequence[CandidateGroup], weights: Doubles
) -> tuple[Doubles, list[npt.NDArray[np.int64]]]:
    """Return the scores of the ten best candidates of all groups, and their rows per group."""
    scores, shown = [np.zeros(0)], []
    for group in groups:
        own = group.features @ weights
        best = np.argsort(-own, kind="stable")[:SHOWN]
        scores.append(own[best])
        shown.append(best)
    return np.concatenate(scores), shown


def outcome_labels(
    groups: Sequence[CandidateGroup],
    shown: Sequence[npt.NDArray[np.int64]],
    outcome: OutcomeDefinition,
) -> npt.NDArray[np.bool_]:
    """Return whether each shown candidate became the outcome, by event type.

    An outcome without event types is any event. Values are not looked at, nor what comes later,
    so outcomes with a least value and delayed ones are taken as never observed here.
    """
    labels = [np.zeros(0, np.bool_)]
    for group, rows in zip(groups, shown, strict=True):
        matches = [
            row
            for row, kind in zip(group.taken.tolist(), group.types, strict=True)
            if outcome.min_value is None
            and outcome.returns is None
            and (not outcome.event_types or kind in outcome.event_types)
        ]
        labels.append(np.isin(rows, matches))
    return np.concatenate(labels)


def level(scores: Doubles, labels: npt.NDArray[np.bool_]) -> float:
    """Return the offset of a logistic regression of labels [n] on scores [n] of slope 1.

    Newton's method; labels smoothed as Platt 1999 does.
    """
    positives = float(labels.sum())
    negatives = len(labels) - positives
    wanted = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    offset = float(np.log((positives + 1) / (negatives + 1)) - scores.mean())
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(scores + offset, -30, 30)))
        slope = max(float((chance * (1 - chance)).sum()), 1e-9)
        move = float((wanted - chance).sum()) / slope
        offset += min(max(move, -2.0), 2.0)
        if abs(move) < 1e-10:
            break
    return offset


def scorer_model(scorer: LinearScorer) -> bytes:
    """Return the scorer as ONNX: one Gemm.

    Raises:
        ValueError: the feedback service would refuse it.

    """
    weights = np.outer(scorer.weights, scorer.slopes).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", [INPUTS[SCORER], "weights", "offsets"], [OUTPUTS[SCORER]])],
        "scorer",
        [helper.make_tensor_value_info(INPUTS[SCORER], TensorProto.FLOAT, ["n", len(weights)])],
        [
            helper.make_tensor_value_info(
                OUTPUTS[SCORER], TensorProto.FLOAT, ["n", weights.shape[1]]
            )
        ],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(scorer.offsets.astype(np.float32), "offsets"),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="harken"
    )
    model.ir_version = 8
    checker.check_model(model)
    content = bytes(model.SerializeToString())
    fault = model_fault(SCORER, content, len(weights), weights.shape[1])
    if fault is not None:
        raise ValueError(f"the scorer {fault}")
    return content
