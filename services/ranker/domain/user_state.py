"""What ranking knows about one user: recent items, seen items, vector."""

from dataclasses import dataclass

import numpy as np

from services.ranker.domain.arrays import Float32s, Int32s, Ordinals

RECENT_LENGTH = 100
SEEN_LENGTH = 5000
_SEEN_SLACK = 1000

RECENT = np.dtype([("item", np.int64), ("weight", np.float32), ("time", np.float64)])
"""One recent event: item ordinal, learning weight, event time in unix seconds."""


@dataclass(frozen=True, slots=True)
class UserDelta:
    """What one frame brings for one user: events in log order, and a new vector, if any.

    `retracted`: earlier events were taken back, so a state from before must be asked for anew.
    """

    version: int
    recent: np.ndarray
    vector: Float32s | None = None
    generation_id: str = ""
    retracted: bool = False


class UserState:
    """State of one user as of a version of the feed.

    `recent` is an array of RECENT, newest last, at most 100. `vector` is float32 [dimension] of
    the generation `generation_id`, or None.
    """

    __slots__ = ("_seen", "_seen_length", "generation_id", "recent", "unknown", "vector", "version")

    def __init__(
        self,
        version: int,
        recent: np.ndarray | None = None,
        seen: Ordinals | None = None,
        vector: Float32s | None = None,
        generation_id: str = "",
        unknown: bool = False,
    ) -> None:
        """Start from what the owner of users answered; `seen` is oldest first.

        `unknown`: nothing is known about the user.
        """
        self.version = version
        self.recent = np.empty(0, RECENT) if recent is None else recent[-RECENT_LENGTH:]
        self.vector = vector
        self.generation_id = generation_id
        self.unknown = unknown
        self._seen: Int32s = np.empty(0, np.int32) if seen is None else seen.astype(np.int32)
        self._seen_length = self._seen.size

    def apply(self, delta: UserDelta) -> None:
        """Take a later frame's delta; one that the state already reflects changes nothing."""
        if delta.version <= self.version:
            return
        self.version = delta.version
        if delta.recent.size:
            self.recent = np.concatenate([self.recent, delta.recent])[-RECENT_LENGTH:]
            self._see(delta.recent["item"])
            self.unknown = False
        if delta.vector is not None:
            self.vector = delta.vector
            self.generation_id = delta.generation_id
            self.unknown = False

    def seen(self) -> Int32s:
        """Return the items with an event, oldest first: the newest 5000 distinct ones at least.

        May hold an item twice, and up to 6000 entries.
        """
        return self._seen[: self._seen_length]

    def _see(self, items: Ordinals) -> None:
        length = self._seen_length + items.size
        if length > self._seen.size:
            room = np.empty(max(length, self._seen.size * 3 // 2, 16), dtype=np.int32)
            room[: self._seen_length] = self.seen()
            self._seen = room
        self._seen[self._seen_length : length] = items
        self._seen_length = length
        if length > SEEN_LENGTH + _SEEN_SLACK:
            self._seen = _newest_distinct(self.seen(), SEEN_LENGTH)
            self._seen_length = self._seen.size


def _newest_distinct(items: Int32s, length: int) -> Int32s:
    """Return the last `length` distinct values, by their last occurrence, in order."""
    newest_first = items[::-1]
    _, first = np.unique(newest_first, return_index=True)
    return newest_first[np.sort(first)[:length]][::-1].copy()
