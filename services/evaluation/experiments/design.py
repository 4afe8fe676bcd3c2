"""What an experiment compares, and by which numbers."""

from dataclasses import dataclass
from enum import Enum

from services.common.experiments.assignment import Variant
from services.evaluation.experiments.guardrail import Guardrail


class Kind(Enum):
    """What is taken of a user's events: see Metric.Kind of experiment.proto."""

    COUNT = "count"
    SUM = "sum"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of each user: of events of these types, within the window."""

    name: str
    event_types: frozenset[str]
    kind: Kind = Kind.COUNT

    def value_of(self, before: float, value: float | None) -> float:
        """Return the number after one more event, with its value if it has one."""
        match self.kind:
            case Kind.COUNT:
                return before + 1
            case Kind.SUM:
                return before + (value or 0.0)
            case Kind.ANY:
                return 1.0


@dataclass(frozen=True, slots=True)
class Design:
    """variants: the first is the control. guardrails: metrics, and what is tolerated of each.
    window_us: from the first exposure. planned: users of all variants. alpha: chance that the
    intervals of a metric ever miss, over all variants.
    """

    variants: tuple[Variant, ...]
    primary: Metric
    guardrails: tuple[tuple[Metric, Guardrail], ...]
    window_us: int
    planned: float
    alpha: float

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics, the primary one first."""
        return (self.primary, *(metric for metric, _ in self.guardrails))
