"""What a comparison found, event by event, in columns; every figure is made from it."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.system.timeline import Codes, Flags, Ints

NEW_USERS = "new users since the split"
NEW_ITEMS = "new items since the split"
YOUNG_ITEMS = "items in first 20 events"


class Segment(NamedTuple):
    """A part of the scored events."""

    name: str
    members: Flags


@dataclass(slots=True)
class ArmCost:
    """What an arm took, on one core.

    fitted_events: events of training. fit_bytes: the most memory that fitting held at a time,
    beyond what was held before; None where the system does not say. Arms of the system are fitted
    together, and each bears the whole.
    """

    fit_seconds: float = 0.0
    fitted_events: int = 0
    fit_bytes: int | None = None
    update_seconds: float = 0.0
    updated_events: int = 0
    rank_seconds: float = 0.0
    rankings: int = 0

    def fit_us(self) -> float:
        """Return microseconds of fitting per event of training."""
        return 1e6 * self.fit_seconds / max(self.fitted_events, 1)

    def update_us(self) -> float:
        """Return microseconds per event learned."""
        return 1e6 * self.update_seconds / max(self.updated_events, 1)

    def rank_us(self) -> float:
        """Return microseconds per ranking."""
        return 1e6 * self.rank_seconds / max(self.rankings, 1)


@dataclass(frozen=True, slots=True)
class ArmOutcome:
    """One arm. ranks float32 [scored], inf: not among the ranked.

    shown int64 [items]: how often an item was among the first `cutoff`. novelty: mean of
    -log2 of the share of events so far of the recommended items.
    """

    name: str
    ranks: npt.NDArray[np.float32]
    shown: Ints
    novelty: float
    cost: ArmCost
    calibration_error: float | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All arms over the same scored events: user, item and time of each [scored].

    new_user: no event before the split. new_item: no event before the split. young_item: fewer
    than 20 events so far.
    """

    users: Codes
    items: Codes
    times_us: Ints
    new_user: Flags
    new_item: Flags
    young_item: Flags
    arms: tuple[ArmOutcome, ...]
    catalogue: int
    groups: int
    ranked_groups: int
    not_scored: int
    skipped: dict[str, str] = field(default_factory=dict)

    def segments(self) -> list[Segment]:
        """Return the parts that are told apart; they overlap, but `rest` and the others."""
        everything = np.ones(self.users.size, np.bool_)
        rest = ~(self.new_user | self.new_item | self.young_item)
        return [
            Segment("all", everything),
            Segment(NEW_USERS, self.new_user),
            Segment(NEW_ITEMS, self.new_item),
            Segment(YOUNG_ITEMS, self.young_item),
            Segment("the rest", rest),
        ]
