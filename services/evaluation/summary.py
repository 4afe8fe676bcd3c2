"""Figures made from outcomes: per arm, per part of the events, and ratios of arms."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.evaluation.metrics import gains, ratio
from services.evaluation.outcomes import ArmCost, Outcomes
from services.evaluation.protocol import Rules
from services.system.intervals import Interval, UserDraws, draw_users

FULL = "full"


class Figures(NamedTuple):
    """Means of one arm over some events, at one cut-off, and the interval of NDCG."""

    cutoff: int
    hit_rate: float
    ndcg: float
    mrr: float
    ndcg_interval: Interval | None


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm over all events. `coverage`: share of the catalogue in its best items."""

    name: str
    figures: tuple[Figures, ...]
    coverage: float
    novelty: float
    calibration_error: float | None
    cost: ArmCost


class Ratio(NamedTuple):
    """NDCG of `full` over that of another arm."""

    over: str
    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """All arms over a part of the events, at the first cut-off, and ratios of `full`."""

    name: str
    events: int
    users: int
    figures: dict[str, Figures]
    ratios: tuple[Ratio, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """All figures of a comparison. The first segment is all events."""

    arms: tuple[ArmSummary, ...]
    segments: tuple[SegmentSummary, ...]


def summarise(outcomes: Outcomes, rules: Rules) -> Summary:
    """Return all figures."""
    segments = tuple(_segment(outcomes, rules, s.name, s.members) for s in outcomes.segments())
    draws = {
        cutoff: _draws(outcomes, rules, np.ones(outcomes.users.size, np.bool_), cutoff)
        for cutoff in rules.cutoffs
    }
    arms = tuple(
        ArmSummary(
            arm.name,
            tuple(_figures(arm.ranks, cutoff, draws[cutoff], number) for cutoff in rules.cutoffs),
            np.count_nonzero(arm.shown) / max(outcomes.catalogue, 1),
            arm.novelty,
            arm.calibration_error,
            arm.cost,
        )
        for number, arm in enumerate(outcomes.arms)
    )
    return Summary(arms, segments)


def _segment(outcomes: Outcomes, rules: Rules, name: str, members: np.ndarray) -> SegmentSummary:
    cutoff = rules.cutoffs[0]
    draws = _draws(outcomes, rules, members, cutoff)
    names = [arm.name for arm in outcomes.arms]
    figures = {
        arm.name: _figures(arm.ranks[members], cutoff, draws, number)
        for number, arm in enumerate(outcomes.arms)
    }
    ratios: list[Ratio] = []
    if FULL in names:
        full = names.index(FULL)
        ratios = [
            Ratio(
                other,
                ratio(figures[FULL].ndcg, figures[other].ndcg),
                draws.ratio(full, number),
            )
            for number, other in enumerate(names)
            if other != FULL
        ]
    return SegmentSummary(
        name,
        int(np.count_nonzero(members)),
        int(np.unique(outcomes.users[members]).size),
        figures,
        tuple(ratios),
    )


def _draws(outcomes: Outcomes, rules: Rules, members: np.ndarray, cutoff: int) -> UserDraws:
    """Resample the NDCG of all arms, one column each."""
    ndcg = [gains(arm.ranks[members], cutoff)[:, 1] for arm in outcomes.arms]
    values = np.stack(ndcg, axis=1) if ndcg else np.zeros((np.count_nonzero(members), 0))
    return draw_users(outcomes.users[members], values, rules.resamples, rules.seed)


def _figures(ranks: np.ndarray, cutoff: int, draws: UserDraws, column: int) -> Figures:
    if ranks.size == 0:
        return Figures(cutoff, 0.0, 0.0, 0.0, None)
    hit_rate, ndcg, mrr = gains(ranks, cutoff).mean(axis=0).tolist()
    return Figures(cutoff, hit_rate, ndcg, mrr, draws.mean(column))
