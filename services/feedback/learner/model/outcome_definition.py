"""What counts as an outcome of a slate's item."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.feedback.learner.model.attribution_joiner import Labels
from services.feedback.learner.model.impression import SlateEvent


@dataclass(frozen=True, slots=True)
class OutcomeDefinition:
    """An outcome: events of these types; with `min_value`, only those with at least this value."""

    name: str
    event_types: frozenset[str]
    min_value: float | None = None
    weight: float = 0.0

    def matches(self, event: SlateEvent) -> bool:
        """Return whether an event is this outcome."""
        if event.type not in self.event_types:
            return False
        if self.min_value is None:
            return True
        return not math.isnan(event.value) and event.value >= self.min_value


@dataclass(frozen=True, slots=True)
class GenerationOutcomes:
    """The outcomes of a generation, in order of its scorer's columns."""

    generation_id: str
    definitions: Sequence[OutcomeDefinition]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outcomes."""
        return tuple(one.name for one in self.definitions)

    def labels_of(self, event: SlateEvent) -> Labels:
        """Return which outcomes [outcomes] an event is."""
        return np.array([one.matches(event) for one in self.definitions], np.bool_)
