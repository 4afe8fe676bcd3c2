"""One slate against a target policy: how much more often that would have shown it."""

from dataclasses import dataclass

import numpy as np

from services.common.arrays import Bools, Float64s
from services.evaluation.off_policy.logged_slate import Candidates, LoggedSlate
from services.evaluation.off_policy.marginals import (
    MarginalsUnknownError,
    place_marginals,
    pseudo_inverse_weight,
)
from services.evaluation.off_policy.policies import Policy, Thompson, logging_policy


@dataclass(frozen=True, slots=True, eq=False)
class WeighedSlate:
    """See WeighedLog, of which this is one row; features are [k, d]."""

    user: str
    ratios: Float64s
    rewards: Float64s
    taken: Float64s
    expected: Float64s
    unmet: Float64s
    marginal: Float64s | None
    whole: float | None
    why_no_marginal: str = ""
    why_no_whole: str = ""
    why_no_model: str = ""
    off: float = 0.0
    """How much the logged propensities differ, at most, from those computed again; NaN where they
    cannot be."""


def weighed(slate: LoggedSlate, candidates: Candidates, target: Policy) -> WeighedSlate:
    """Return a slate, of which the candidates are known, against a policy."""
    chosen = target.choices(candidates, candidates.allowed)
    here = np.arange(candidates.shown.size)
    logging = logging_policy(slate.exploration, candidates)
    off = np.nan
    if logging is not None:
        again = logging.choices(candidates, candidates.allowed)[here, candidates.shown]
        off = float(np.abs(again - slate.propensities).max())
    marginal, why_no_marginal = None, ""
    whole, why_no_whole = None, ""
    try:
        marginal = place_marginals(candidates, logging, target)
    except MarginalsUnknownError as error:
        why_no_marginal = str(error)
    try:
        whole = pseudo_inverse_weight(candidates, logging, target)
    except MarginalsUnknownError as error:
        why_no_whole = str(error)
    features = _features(candidates)
    return WeighedSlate(
        slate.user,
        chosen[here, candidates.shown] / slate.propensities,
        slate.rewards,
        features[candidates.shown],
        chosen @ features,
        _unmet(slate, candidates, chosen),
        marginal,
        whole,
        why_no_marginal,
        why_no_whole,
        off=off,
    )


def _features(candidates: Candidates) -> Float64s:
    """Return [n, d]: what rewards are predicted from: probabilities of outcomes, and that of the
    utility; 0 for what is not known.
    """
    half = np.exp(-np.logaddexp(0.0, -candidates.utilities))
    found: Float64s = np.nan_to_num(np.stack([*candidates.predicted.values(), half], axis=1))
    return found


def _unmet(slate: LoggedSlate, candidates: Candidates, chosen: Float64s) -> Float64s:
    met = _support(slate, candidates)
    if met is None:
        return np.full(candidates.shown.size, np.nan)
    unmet: Float64s = np.where(met, 0.0, chosen).sum(axis=1)
    return unmet


def _support(slate: LoggedSlate, candidates: Candidates) -> Bools | None:
    """Return which candidates [k, n] logging may have put at each place; None: not known."""
    shown = np.zeros(candidates.allowed.shape, np.bool_)
    shown[np.arange(candidates.shown.size), candidates.shown] = True
    # Where a place was decided without chance nothing else could have stood there.
    certain = slate.propensities[:, None] >= 1.0
    match slate.exploration.policy:
        case "epsilon" if slate.exploration.parameter > 0:
            possible = candidates.allowed
        case "plackett_luce_temperature":
            scored = candidates.allowed & ~np.isnan(candidates.utilities)
            possible = np.where(scored.any(axis=1, keepdims=True), scored, candidates.allowed)
        case "thompson_scale" if logging_policy(slate.exploration, candidates) is not None:
            possible = Thompson().choices(candidates, candidates.allowed) > 0
        case _ if certain.all():
            possible = shown
        case _:
            return None
    found: Bools = np.where(certain, shown, possible)
    return found
