"""What ranking knows about one user: recent items, seen items, a vector that was set."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import ReferenceType

import numpy as np

from services.common.arrays import Bools, Float32s, Ordinals
from services.common.consent import UNDECIDED, Consent
from services.common.ranking.recent import RECENT, RECENT_LENGTH
from services.common.user_attributes import NO_ATTRIBUTES, Attributes
from services.ranker.domain.seen_items import SeenItems


@dataclass(frozen=True, slots=True)
class PutVector:
    """A vector [dimension] that a backend set for one generation.

    pinned: it stays until the next one is set; otherwise the user's next event replaces it.
    """

    generation_id: str
    vector: Float32s
    pinned: bool


@dataclass(slots=True)
class EncodedVector:
    """A vector made from a user's history, and what it was made with: see ServingSpace.

    present: which items of the history counted. revision: the newest of the index when it was made.
    looked_revision, looked_listed: the newest, and the items of the catalogue, when it was last
    found to stand; referred to, as users are many and stay for long.
    """

    vector: Float32s | None
    space: object
    factor: int
    revision: int
    present: Bools
    looked_revision: int
    looked_listed: ReferenceType[Bools]


class UserState:
    """State of one user as of a sequence of the log: later entries of the user are not in it.

    `recent` is an array of RECENT by event time, newest last, at most 100; of one time, the event
    later in the log comes later. So an event that comes late takes the place of its time, or none.
    `put`: the vector that a backend set, while it stands. `encoded`: the last that was made.
    `attributes`, `consent`: as they are now. `merged`: keys of who is merged into the user.
    """

    __slots__ = (
        "_history",
        "attributes",
        "consent",
        "encoded",
        "merged",
        "put",
        "recent",
        "seen",
        "sequence",
        "unknown",
    )

    def __init__(
        self,
        sequence: int,
        recent: np.ndarray | None = None,
        seen: np.ndarray | None = None,
        put: PutVector | None = None,
        unknown: bool = False,
        attributes: Attributes = NO_ATTRIBUTES,
        consent: Consent = UNDECIDED,
        merged: Sequence[bytes] = (),
    ) -> None:
        """Start from what the owner of users answered; `seen`, of SEEN, is oldest first.

        `unknown`: nothing is known about the user.
        """
        self.sequence = sequence
        self.recent = np.empty(0, RECENT) if recent is None else _by_time(recent)[-RECENT_LENGTH:]
        self.put = put
        self.unknown = unknown
        self.attributes = attributes
        self.consent = consent
        self.merged = tuple(merged)
        self.seen = SeenItems(seen)
        self.encoded: EncodedVector | None = None
        self._history: np.ndarray | None = None

    def add(self, recent: np.ndarray, seen: np.ndarray, sequence: int) -> None:
        """Take later events, in log order: `recent`, of RECENT, and `seen`, of SEEN, are the same.

        `sequence`: that of the last of them.
        """
        joined = np.concatenate([self.recent, recent])
        if recent.size > 1 or not _ends_in_order(joined):
            joined = _by_time(joined)
        self.recent = joined[-RECENT_LENGTH:]
        self.seen.add(seen)
        self.sequence = sequence
        self.unknown = False
        self._history = None
        self.encoded = None
        if self.put is not None and not self.put.pinned:
            self.put = None

    @property
    def positive(self) -> np.ndarray:
        """Return the positive events, of RECENT, latest first."""
        return self.recent[self.recent["weight"] > 0][::-1]

    @property
    def positive_items(self) -> Ordinals:
        """Return the items of positive events, latest first."""
        items: Ordinals = self.recent["item"][self.recent["weight"] > 0][::-1]
        return items

    @property
    def history(self) -> np.ndarray:
        """What a user vector is made from, of RECENT, latest first: each item once, by its latest
        event.

        As in the learner an item with a negative event since is left out, and events of weight 0
        change nothing.
        """
        if self._history is None:
            latest_first = self.recent[self.recent["weight"] != 0][::-1]
            _, first = np.unique(latest_first["item"], return_index=True)
            distinct = latest_first[np.sort(first)]
            self._history = distinct[distinct["weight"] > 0]
        return self._history


def _ends_in_order(recent: np.ndarray) -> bool:
    """Return whether the last event is not earlier than the one before it, if there is one."""
    times = recent["time"]
    return times.size == 1 or times.item(-1) >= times.item(-2)


def _by_time(recent: np.ndarray) -> np.ndarray:
    """Return events, given in log order where times are equal, in order of time."""
    times = recent["time"]
    if (times[1:] >= times[:-1]).all():
        return recent
    return recent[np.argsort(times, kind="stable")]
