"""Policies that fill a slate place by place: the probability of each candidate at a place.

All choose among those that are allowed there, given what stands above. A candidate without a
utility (NaN) comes last: it is chosen only where none of the allowed has one, then any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from services.common.arrays import Bools, Float64s
from services.evaluation.off_policy.logged_slate import Candidates, Exploration

_LEAST, _LOWEST = 1e-9, -1e6


class Policy(Protocol):
    """Chooses one candidate for a place."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def choices(self, candidates: Candidates, allowed: Bools) -> Float64s:
        """Return the probability [m, n] of each candidate, for m sets of allowed ones [m, n].

        Each set has at least one. Rows sum to 1.
        """


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any of the allowed, even those without a utility."""

    name: str = "uniform"

    def choices(self, candidates: Candidates, allowed: Bools) -> Float64s:
        """See Policy."""
        return _any_of(allowed)


@dataclass(frozen=True, slots=True)
class Greedy:
    """The allowed one with the largest utility, of equal ones the first.

    outcomes: utilities are those of these weights of outcomes instead of the logged ones.
    """

    outcomes: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """See Policy."""
        return f"greedy{_said(self.outcomes)}"

    def choices(self, candidates: Candidates, allowed: Bools) -> Float64s:
        """See Policy."""
        utilities = utilities_of(candidates, self.outcomes)
        ranked = np.where(np.isnan(utilities), -np.inf, utilities)
        best = np.where(allowed, ranked, -np.inf).argmax(axis=1)
        nothing = ~_scored(utilities, allowed).any(axis=1)
        found = np.zeros(allowed.shape)
        found[np.arange(len(found)), best] = 1.0
        found[nothing] = _any_of(allowed[nothing])
        return found


@dataclass(frozen=True, slots=True)
class PlackettLuce:
    """By softmax of utilities over a temperature (Plackett 1975); `outcomes` as of Greedy."""

    temperature: float
    outcomes: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """See Policy."""
        return f"plackett-luce at {self.temperature:g}{_said(self.outcomes)}"

    def choices(self, candidates: Candidates, allowed: Bools) -> Float64s:
        """See Policy."""
        utilities = utilities_of(candidates, self.outcomes)
        scored = _scored(utilities, allowed)
        nothing = ~scored.any(axis=1)
        scaled = np.where(scored, utilities / self.temperature, -np.inf)
        scaled[nothing] = 0.0
        found: Float64s = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
        found[nothing] = _any_of(allowed[nothing])
        return found


@dataclass(frozen=True, slots=True)
class EpsilonGreedy:
    """With a probability any of the allowed, else as Greedy."""

    epsilon: float

    @property
    def name(self) -> str:
        """See Policy."""
        return f"epsilon {self.epsilon:g}"

    def choices(self, candidates: Candidates, allowed: Bools) -> Float64s:
        """See Policy."""
        best = Greedy().choices(candidates, allowed)
        return (1 - self.epsilon) * best + self.epsilon * _any_of(allowed)


@dataclass(frozen=True, slots=True)
class Thompson:
    """The best by one of the logged draws, each as likely (Thompson 1933)."""

    name: str = "thompson"

    def choices(self, candidates: Candidates, allowed: Bools) -> Float64s:
        """See Policy."""
        utilities = candidates.utilities
        lowest = np.nan_to_num(np.where(np.isnan(utilities), _LOWEST, utilities))
        found = np.zeros(allowed.shape)
        here = np.arange(len(found))
        for above in candidates.deviations:
            found[here, np.where(allowed, lowest + above, -np.inf).argmax(axis=1)] += 1.0
        found /= len(candidates.deviations)
        return found


def logging_policy(exploration: Exploration, candidates: Candidates) -> Policy | None:
    """Return the policy that an exploration of these candidates is; None where the log does not
    say all of it: where new items had a share, or what was drawn is not there.
    """
    if exploration.new_item_share:
        return None
    match exploration.policy:
        case "greedy":
            return Greedy()
        case "epsilon":
            return EpsilonGreedy(exploration.parameter)
        case "plackett_luce_temperature":
            return PlackettLuce(exploration.parameter)
        case "thompson_scale" if len(candidates.deviations):
            return Thompson()
        case _:
            return None


def utilities_of(candidates: Candidates, outcomes: Mapping[str, float]) -> Float64s:
    """Return utilities [n]: the logged ones, or, by weights of outcomes, log(s / (W - s)) of the
    score s, the sum over outcomes of weight * probability, where W is the sum of all positive
    weights: the log odds of what a surface with these weights ranks by, without its boosts.

    Raises:
        KeyError: an outcome was not predicted.

    """
    if not outcomes:
        return candidates.utilities
    score = sum(
        (weight * candidates.predicted[name] for name, weight in outcomes.items()),
        np.zeros(candidates.utilities.size),
    )
    share = score / sum(weight for weight in outcomes.values() if weight > 0)
    share = np.clip(share, _LEAST, 1 - _LEAST)
    utilities: Float64s = np.log(share) - np.log1p(-share)
    return utilities


def _scored(utilities: Float64s, allowed: Bools) -> Bools:
    scored: Bools = allowed & ~np.isnan(utilities)
    return scored


def _any_of(allowed: Bools) -> Float64s:
    found: Float64s = allowed / allowed.sum(axis=1, keepdims=True)
    return found


def _said(outcomes: Mapping[str, float]) -> str:
    if not outcomes:
        return ""
    return " by " + ", ".join(f"{name}={weight:g}" for name, weight in outcomes.items())
