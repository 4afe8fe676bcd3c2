"""What counts as an outcome of a slate's item."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.feedback.learner.model.impression import SlateEvent, Visit
from services.feedback.learner.model.pending_slate import Labels

_DAY_US = 86_400_000_000
_LEAST_AFTER_US = 1_000_000
_MOST_AFTER_US = 29 * _DAY_US
_MOST_UNTIL_US = 30 * _DAY_US


@dataclass(frozen=True, slots=True)
class ReturnWindow:
    """When a user counts as having come back: from `after_us` to before `until_us` microseconds
    after the slate was logged, 0 < after_us < until_us.
    """

    after_us: int
    until_us: int

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with its ends, by name: after, until."""
        if not _LEAST_AFTER_US <= self.after_us <= _MOST_AFTER_US:
            yield "after", "must be 1 second to 29 days"
        if not self.after_us < self.until_us <= _MOST_UNTIL_US:
            yield "until", "must be above after, and at most 30 days"


@dataclass(frozen=True, slots=True)
class OutcomeDefinition:
    """An outcome: events of these types; with `min_value`, only those with at least this value.

    returns: makes it a delayed outcome, that the user took the item and then came back with such
    an event, whatever it is of; without types, with any.
    """

    name: str
    event_types: frozenset[str]
    min_value: float | None = None
    weight: float = 0.0
    returns: ReturnWindow | None = None

    def matches(self, event: SlateEvent) -> bool:
        """Return whether an event is this outcome; no event by itself is a delayed one."""
        return self.returns is None and event.type in self.event_types and self._enough(event.value)

    def is_return(self, visit: Visit) -> bool:
        """Return whether a user comes back with this event, if it is in time."""
        known = not self.event_types or visit.type in self.event_types
        return known and self._enough(visit.value)

    def _enough(self, value: float) -> bool:
        if self.min_value is None:
            return True
        return not math.isnan(value) and value >= self.min_value


@dataclass(frozen=True, slots=True)
class GenerationOutcomes:
    """The outcomes of a generation, in order of its scorer's columns."""

    generation_id: str
    definitions: Sequence[OutcomeDefinition]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outcomes."""
        return tuple(one.name for one in self.definitions)

    @property
    def delayed(self) -> Labels:
        """Which of the outcomes [outcomes] are delayed."""
        return np.array([one.returns is not None for one in self.definitions], np.bool_)

    def labels_of(self, event: SlateEvent) -> Labels:
        """Return which outcomes [outcomes] an event is."""
        return np.array([one.matches(event) for one in self.definitions], np.bool_)
