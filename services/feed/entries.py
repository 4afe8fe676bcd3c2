"""Entries of the log as columns: what takes effect without learning. Arrays only."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_NO_INTS: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Events, each column [n]: indices of users, items and types; values, NaN when none was given;
    event times, unix microseconds; log sequences; weights, negative for explicit negatives and 0
    for events that only count; unix microseconds of their acceptance.

    Of retracted events: in the order of their retractions, all else that of the events.
    """

    users: Ints
    items: Ints
    types: Ints
    values: Doubles
    times_us: Ints
    sequences: Ints
    weights: Floats
    accepted_us: Ints

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.users)

    def picked(self, rows: Flags) -> "EventColumns":
        """Return some of the events."""
        return EventColumns(
            self.users[rows],
            self.items[rows],
            self.types[rows],
            self.values[rows],
            self.times_us[rows],
            self.sequences[rows],
            self.weights[rows],
            self.accepted_us[rows],
        )


NO_EVENTS = EventColumns(
    _NO_INTS, _NO_INTS, _NO_INTS, np.zeros(0, np.float64), _NO_INTS, _NO_INTS,
    np.zeros(0, np.float32), _NO_INTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UserVectors:
    """Vectors [n, dimension] that a backend set for users [n] (indices), in log order.

    pinned [n]: it stays until the next one is set; otherwise the user's next event replaces it.
    """

    generation_id: str
    users: Ints
    vectors: Floats
    pinned: Flags
    sequences: Ints

    def picked(self, rows: Flags) -> "UserVectors":
        """Return some of the vectors."""
        return UserVectors(
            self.generation_id,
            self.users[rows],
            self.vectors[rows],
            self.pinned[rows],
            self.sequences[rows],
        )


@dataclass(frozen=True, slots=True)
class UserFact:
    """All attributes of a user (index) as of a revision: a serialised google.protobuf.Struct."""

    user: int
    revision: int
    attributes: bytes


@dataclass(frozen=True, slots=True)
class ItemVisibility:
    """What hides or shows items, each column [n], in log order; of an item the last counts.

    listed: False when the item was deleted. expires_at_us: unix microseconds, 0: never.
    """

    items: Ints
    listed: Flags
    available: Flags
    expires_at_us: Ints
    sequences: Ints


@dataclass(frozen=True, slots=True)
class TenantEntries:
    """Entries of one tenant. There are events or retracted events, never both."""

    tenant: str
    item_ids: Sequence[str] = ()
    user_keys: Sequence[bytes] = ()
    types: Sequence[str] = ()
    events: EventColumns = field(default=NO_EVENTS)
    retracted: EventColumns = field(default=NO_EVENTS)
    vectors: Sequence[UserVectors] = ()
    facts: Sequence[UserFact] = ()
    items: ItemVisibility | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """A stretch of the log: all entries after a sequence through another one, by tenant.

    accepted_at_us: unix microseconds when its last entry was accepted.
    """

    epoch: int
    after_sequence: int
    through_sequence: int
    accepted_at_us: int
    tenants: Sequence[TenantEntries] = ()
