"""Policies: how likely each candidate is to stand at a place, given what stands already.

Each place is decided with fresh chance, by the utilities of the candidates that may stand there.
So the probability of an item at its place, given the items above it, is exact under any rule that
says, by what stands already, what may stand there.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from services.common.arrays import Float64s


class Policy(Protocol):
    """A way to decide a place."""

    @property
    def by_chance(self) -> bool:
        """Return whether it is not always the best."""
        ...

    def weights(self, utilities: Float64s, deviations: Float64s | None) -> Float64s:
        """Return weights [n] >= 0, in proportion to the probabilities of the candidates.

        utilities: [n], those of candidates that may not stand at the place are -inf; one is finite.
        deviations: [m, n], by how much what was drawn is above the utilities.
        """
        ...


@dataclass(frozen=True, slots=True)
class Greedy:
    """The best; of equals the first."""

    @property
    def by_chance(self) -> bool:
        """Return False."""
        return False

    def weights(self, utilities: Float64s, deviations: Float64s | None) -> Float64s:
        """Return 1 for the best."""
        weights = np.zeros_like(utilities)
        weights[utilities.argmax()] = 1.0
        return weights


GREEDY = Greedy()


@dataclass(frozen=True, slots=True)
class EpsilonMixture:
    """With probability `epsilon` (0..1) any candidate, each as likely; else the best."""

    epsilon: float

    @property
    def by_chance(self) -> bool:
        """Return whether epsilon is above 0."""
        return self.epsilon > 0

    def weights(self, utilities: Float64s, deviations: Float64s | None) -> Float64s:
        """Return the mixture of both."""
        weights = np.isfinite(utilities).astype(np.float64)
        weights *= self.epsilon / weights.sum()
        weights[utilities.argmax()] += 1.0 - self.epsilon
        return weights


@dataclass(frozen=True, slots=True)
class PlackettLuce:
    """Softmax of utilities at a temperature > 0 (Luce 1959; Plackett 1975).

    Over all places it draws as the first of utilities with Gumbel noise do, where nothing bars a
    candidate.
    """

    temperature: float

    @property
    def by_chance(self) -> bool:
        """Return True."""
        return True

    def weights(self, utilities: Float64s, deviations: Float64s | None) -> Float64s:
        """Return exp(utility / temperature), of the best 1."""
        weights: Float64s = utilities - utilities[utilities.argmax()]
        weights *= 1.0 / self.temperature
        np.exp(weights, out=weights)
        return weights


@dataclass(frozen=True, slots=True)
class Thompson:
    """The best by one of the pool's draws, each as likely (Thompson 1933); each place anew.

    scale: > 0, of what is drawn, for whoever draws.
    """

    scale: float = 1.0

    @property
    def by_chance(self) -> bool:
        """Return True."""
        return True

    def weights(self, utilities: Float64s, deviations: Float64s | None) -> Float64s:
        """Return in how many draws a candidate is the best."""
        if deviations is None:
            raise ValueError("Thompson sampling without draws")
        best = (deviations + utilities).argmax(axis=1)
        return np.bincount(best, minlength=utilities.size).astype(np.float64)
