"""The head of the scorer: what was learned online on top of it.

How it learns is in services/feedback/learner/model/scorer_head.py; here it only serves.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from services.common.arrays import Float32s, Float64s
from services.feed.parameters import HeadParameters, OutcomeFigures


@dataclass(frozen=True, slots=True)
class ScorerHead:
    """Parameters [outcomes, columns + 3] for one generation: gain, weights, bias, place.

    Gain and weights are those of logits: times the slope. slates: how many it has learned from.
    figures: predicted against actual, where it changed.
    """

    generation_id: str
    parameters: Float64s
    slates: int = 0
    figures: tuple[OutcomeFigures, ...] = ()

    @classmethod
    def of(cls, learned: HeadParameters) -> Self:
        """Return the head of what was learned."""
        parameters = learned.parameters.copy()
        parameters[:, :-2] *= learned.slopes[:, None]
        return cls(learned.generation_id, parameters, learned.slates, learned.figures)

    def logits(self, scores: Float32s, features: Float32s) -> Float64s:
        """Return logits [n, outcomes] for scores [n, outcomes] and features [n, columns].

        A head at its start gives the scores themselves, to the bit.
        """
        learned = features.astype(np.float64) @ self.parameters[:, 1:-2].T
        logits: Float64s = self.parameters[:, 0] * scores + learned + self.parameters[:, -2]
        return logits

    def at_places(self, logits: Float64s) -> Float64s:
        """Return logits of items as shown, row r at place r: with what a place does by itself."""
        places = np.log2(1.0 + np.arange(logits.shape[0], dtype=np.float64))
        shown: Float64s = logits + places[:, None] * self.parameters[:, -1]
        return shown
