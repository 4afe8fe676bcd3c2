"""The generation that serves: what its manifest says, and its scorer."""

from dataclasses import dataclass

from services.ranker.domain.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Generation:
    """One consistent set of models. Vectors of two generations are never mixed."""

    generation_id: str
    dimension: int
    max_norm: float
    scorer: Scorer
