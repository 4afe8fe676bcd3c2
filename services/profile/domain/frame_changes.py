"""What frames change for users, and batches of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.common.progress import Applied

UserId = tuple[str, bytes]
"""Tenant and user key."""
GenerationName = tuple[str, str]
"""Tenant and generation id."""


class UserEvent(NamedTuple):
    """One event of a user. `value` is NaN when none was given; the time is unix microseconds."""

    item_id: str
    type: str
    value: float
    time_us: int
    weight: float
    sequence: int


class Shape(NamedTuple):
    """What vectors of a generation look like; `max_norm` is None when it is not known."""

    dimension: int
    max_norm: float | None


@dataclass(slots=True)
class UserChange:
    """What happened to a user: events in log order, and the new vector, if any.

    `retracted`: earlier events that were taken back; their sequences are those of the events. They
    come in frames of their own, so there are either events or these.
    """

    events: list[UserEvent] = field(default_factory=list)
    retracted: list[UserEvent] = field(default_factory=list)
    vector: bytes | None = None
    generation_id: str = ""


@dataclass(frozen=True, slots=True)
class FrameChanges:
    """What a frame changes: the point it leads to, users, and shapes not known before."""

    through: Applied
    users: Mapping[UserId, UserChange]
    shapes: Mapping[GenerationName, Shape]
    events: int


@dataclass(slots=True)
class Batch:
    """What consecutive frames change, gathered by user."""

    after: Applied
    through: Applied
    users: dict[UserId, UserChange] = field(default_factory=dict)
    shapes: dict[GenerationName, Shape] = field(default_factory=dict)
    events: int = 0

    def add(self, changes: FrameChanges) -> None:
        """Append the changes of the next frame."""
        self.through = changes.through
        self.shapes.update(changes.shapes)
        self.events += changes.events
        for user, change in changes.users.items():
            known = self.users.setdefault(user, change)
            if known is not change:
                known.events += change.events
                if change.vector is not None:
                    known.vector, known.generation_id = change.vector, change.generation_id

    def event_types(self) -> set[str]:
        """Return the types of all events, also of those taken back."""
        return {
            event.type
            for change in self.users.values()
            for event in (*change.events, *change.retracted)
        }
