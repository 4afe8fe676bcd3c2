"""Test-then-train on live events: how well vectors rank the true item before they learn from it.

The true item is ranked among uniform negatives by dot product and bias, ties halved; the gain is
1 / log2(1 + rank), from 0 to 1. Two ways to make vectors are compared on the same events and
negatives, so that only the difference of their gains counts. Sampled negatives flatter both alike
(notes on sampled metrics do not bind a paired comparison).
"""

from dataclasses import dataclass

import numpy as np

from services.feed.parameters import Doubles, Flags, Floats, Ints
from services.feedback.learner.model.counter_random import sampled, uniform_ordinals


@dataclass(frozen=True, slots=True)
class ComparisonConfig:
    """Constants of validation and guard.

    validate_one_in, guard_one_in: share of events that a staged generation, and the reference, are
    compared on, >= 1. negatives: 1..64. seed: of sample and negatives, 64 bit.
    min_events: compared before anything is decided. max_events: compared before a staged
    generation that is not better is given up. guard_bound: how much worse than the reference the
    vectors may be, in gain. reference_events: compared before a newer reference is taken, if the
    vectors are not worse. standby_seconds: log time that a generation is kept after it served.
    """

    validate_one_in: int = 4
    guard_one_in: int = 8
    negatives: int = 50
    seed: int = 0x6861726B
    min_events: int = 500
    max_events: int = 100_000
    guard_bound: float = 0.005
    reference_events: int = 2_500
    standby_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class ProgressiveValidation:
    """Events of a sample: true items [n], negatives [n, k], which of those count [n, k]."""

    items: Ints
    negatives: Ints
    counted: Flags

    def gains(self, users: Floats, vectors: Floats, biases: Floats) -> Doubles:
        """Return the gain [n] of the true items; users [n, d], vectors [N, d], biases [N]."""
        true = np.vecdot(users, vectors[self.items]) + biases[self.items]
        others = (vectors[self.negatives] @ users[:, :, None])[:, :, 0] + biases[self.negatives]
        above = (others > true[:, None]) & self.counted
        equal = (others == true[:, None]) & self.counted
        ranks = 1.0 + above.sum(axis=1) + 0.5 * equal.sum(axis=1)
        gains: Doubles = 1.0 / np.log2(1.0 + ranks)
        return gains


def drawn(sequences: Ints, one_in: int, config: ComparisonConfig) -> Flags:
    """Return which events [n] are in the sample, by their log sequence alone."""
    return sampled(config.seed, sequences, one_in)


def contest(
    sequences: Ints, items: Ints, exists: Flags, config: ComparisonConfig
) -> ProgressiveValidation:
    """Return the contest of events: log sequences and true items [n]; exists: of all ordinals."""
    count = exists.size - int(exists[::-1].argmax())
    negatives = uniform_ordinals(config.seed, sequences, config.negatives, count)
    counted = exists[negatives] & (negatives != items[:, None])
    return ProgressiveValidation(items, negatives, counted)
