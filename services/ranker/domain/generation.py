"""A generation: what its manifest says, and its scorer."""

from dataclasses import dataclass, field

from services.common.fold_in import FoldInEncoder
from services.common.ranking.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Generation:
    """One consistent set of models. Vectors of two generations are never mixed.

    encoder: how user vectors are made; default: as of a bootstrap generation. weights: of the
    scorer's outcomes in the score of a slot, as many as there are; default (none): 1 for the first.
    """

    generation_id: str
    dimension: int
    max_norm: float
    scorer: Scorer
    encoder: FoldInEncoder = field(default_factory=FoldInEncoder)
    weights: tuple[float, ...] = ()

    def outcome_weights(self) -> tuple[float, ...]:
        """Return the weight of each outcome of the scorer."""
        return self.weights or (1.0,) + (0.0,) * (len(self.scorer.outcomes) - 1)
