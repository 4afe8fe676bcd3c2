"""What takes part in a comparison."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from services.system.timeline import Codes, Flags, Ints

Ranks = npt.NDArray[np.float32]
MISS = np.float32(np.inf)


@dataclass(frozen=True, slots=True)
class Moment:
    """What may be known just before a tie group is revealed.

    user, time_us: who is about to act, and when. items, times_us: the user's positive events so
    far, oldest first. hidden [items]: what may not be ranked. seen: the items that the user has
    seen, in any order, where they are hidden. targets [t]: the items to rank; arms use them for
    nothing but saying their ranks.
    """

    user: int
    time_us: int
    items: Codes
    times_us: Ints
    hidden: Flags
    seen: Codes
    targets: Codes


@dataclass(frozen=True, slots=True)
class Ranking:
    """An arm's answer: ranks [t] of the targets, from 1, MISS where not ranked; its best items.

    `probabilities`, where an arm gives them: of `best`, that the user's next item is it.
    """

    ranks: Ranks
    best: Codes
    probabilities: npt.NDArray[np.float32] | None = None


class Arm(Protocol):
    """Ranks items."""

    name: str
    fit_seconds: float

    def rank(self, moment: Moment) -> Ranking:
        """Return the ranks of the targets, and at least the best `cutoff` items."""


@runtime_checkable
class Learner(Protocol):
    """Learns from what happens. `names`: the arms that need it, which bear its cost."""

    names: tuple[str, ...]

    def reveal(self, events: Ints) -> None:
        """Learn from the events of one tie group."""
