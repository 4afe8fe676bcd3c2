"""A slate of which not all is known yet that may become of it."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.impression import Impression

Labels = npt.NDArray[np.bool_]


@dataclass(slots=True)
class AwaitedReturn:
    """A delayed outcome that is not known yet: its column in the slate's probabilities, and
    whether the user came back by now.
    """

    column: int
    returned: bool = False


@dataclass(slots=True, eq=False)
class PendingSlate:
    """A slate within the window. labels [items, outcomes]; taken [items]: a positive event.

    awaited: delayed outcomes that are not known yet, by name. attributed: the attribution window
    is over, it is there for what is awaited.
    """

    slate: Impression
    accepted_at_us: int
    labels: Labels
    taken: Labels
    settled: bool = False
    attributed: bool = False
    awaited: dict[str, AwaitedReturn] = field(default_factory=dict)

    def copy(self) -> "PendingSlate":
        """Return the same, which goes its own way."""
        return PendingSlate(
            self.slate,
            self.accepted_at_us,
            self.labels.copy(),
            self.taken.copy(),
            self.settled,
            self.attributed,
            {name: AwaitedReturn(one.column, one.returned) for name, one in self.awaited.items()},
        )
