"""What ranking knows about one user: recent items, seen items, vector."""

from dataclasses import dataclass

import numpy as np

from services.ranker.domain.arrays import Float32s
from services.ranker.domain.seen_items import SeenItems

RECENT_LENGTH = 100

RECENT = np.dtype([("item", np.int64), ("weight", np.float32), ("time", np.float64)])
"""One recent event: item ordinal, learning weight, event time in unix seconds."""


@dataclass(frozen=True, slots=True)
class UserDelta:
    """What one frame brings for one user: events in log order, and a new vector, if any.

    `recent`, of RECENT, and `seen`, of SEEN, are the same events.
    `retracted`: earlier events were taken back, so a state from before must be asked for anew.
    """

    version: int
    recent: np.ndarray
    seen: np.ndarray
    vector: Float32s | None = None
    generation_id: str = ""
    retracted: bool = False


class UserState:
    """State of one user as of a version of the feed.

    `recent` is an array of RECENT by event time, newest last, at most 100; of one time, the event
    later in the log comes later. So an event that comes late takes the place of its time, or none.
    `vector` is float32 [dimension] of the generation `generation_id`, or None.
    """

    __slots__ = ("generation_id", "recent", "seen", "unknown", "vector", "version")

    def __init__(
        self,
        version: int,
        recent: np.ndarray | None = None,
        seen: np.ndarray | None = None,
        vector: Float32s | None = None,
        generation_id: str = "",
        unknown: bool = False,
    ) -> None:
        """Start from what the owner of users answered; `seen`, of SEEN, is oldest first.

        `unknown`: nothing is known about the user.
        """
        self.version = version
        self.recent = np.empty(0, RECENT) if recent is None else _by_time(recent)[-RECENT_LENGTH:]
        self.vector = vector
        self.generation_id = generation_id
        self.unknown = unknown
        self.seen = SeenItems(seen)

    def apply(self, delta: UserDelta) -> None:
        """Take a later frame's delta; one that the state already reflects changes nothing."""
        if delta.version <= self.version:
            return
        self.version = delta.version
        if delta.recent.size:
            self.recent = _by_time(np.concatenate([self.recent, delta.recent]))[-RECENT_LENGTH:]
            self.seen.add(delta.seen)
            self.unknown = False
        if delta.vector is not None:
            self.vector = delta.vector
            self.generation_id = delta.generation_id
            self.unknown = False


def _by_time(recent: np.ndarray) -> np.ndarray:
    """Return events, given in log order where times are equal, in order of time."""
    times = recent["time"]
    if (times[1:] >= times[:-1]).all():
        return recent
    return recent[np.argsort(times, kind="stable")]
