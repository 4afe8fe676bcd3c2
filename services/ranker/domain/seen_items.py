"""The items that a user did something with: which kinds of events, and when last."""

import numpy as np

from services.common.arrays import NO_ORDINALS, Int32s, Ordinals
from services.common.seen_window import SEEN_LENGTH, newest_seen
from services.ranker.domain.seen_rule import SeenRule

SEEN = np.dtype([("item", np.int32), ("kind", np.int16), ("time", np.int64)])
"""An event: item ordinal, kind (see SeenKinds), event time in unix microseconds."""
UNKNOWN_KIND = 0
_SLACK = 1000
_FEW = 64


class SeenKinds:
    """Numbers kinds of events: a type, and whether the weight is negative."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, bool], int] = {("", False): UNKNOWN_KIND}
        self._asked: SeenRule | None = None
        self._hides_us: Ordinals = NO_ORDINALS

    def number(self, event_type: str, negative: bool) -> int:
        """Return the number of a kind; one not heard of yet gets one."""
        return self._numbers.setdefault((event_type, negative), len(self._numbers))

    def hides_us(self, rule: SeenRule) -> Ordinals:
        """Return for how long each kind hides, microseconds, by number."""
        # Most slates are of one surface: what was found last is kept.
        if rule is not self._asked or self._hides_us.size != len(self._numbers):
            found = np.array([rule.hides_us(*kind) for kind in self._numbers], np.int64)
            self._asked, self._hides_us = rule, found
        return self._hides_us


class SeenItems:
    """What is remembered of one user's events: that which services.common.seen_window says.

    It depends on the events alone, not on who remembers and since when. Bounded: at most 10000
    entries of 14 bytes, and at most as many more, or 1000, that wait to be put in order.
    """

    __slots__ = ("_entries", "_length", "_ordered")

    def __init__(self, entries: np.ndarray | None = None) -> None:
        """Start from entries of SEEN in ascending order of event time, of equal times log order."""
        self._entries = np.empty(0, SEEN) if entries is None else entries
        self._length = self._ordered = self._entries.size

    @property
    def nbytes(self) -> int:
        """What is held, in bytes."""
        return int(self._entries.nbytes)

    def add(self, events: np.ndarray) -> None:
        """Add later events, in log order."""
        length = self._length + events.size
        if length > self._entries.size:
            room = np.empty(max(length, self._entries.size * 3 // 2, 16), SEEN)
            room[: self._length] = self._entries[: self._length]
            self._entries = room
        self._entries[self._length : length] = events
        self._length = length
        # Most users come back to the same items: what is said twice goes each time that it has
        # doubled.
        if length > min(2 * self._ordered + _FEW, max(self._ordered, SEEN_LENGTH) + _SLACK):
            self._put_in_order()

    def entries(self) -> np.ndarray:
        """Return all that is remembered, and no more; a pair may be there twice."""
        if self._length > max(self._ordered, SEEN_LENGTH):
            self._put_in_order()
        return self._entries[: self._length]

    def hidden(self, rule: SeenRule, kinds: SeenKinds, now: float) -> Int32s:
        """Return the items, some of them twice, that a rule hides at `now`, unix seconds."""
        entries = self.entries()
        items: Int32s = entries["item"]
        if rule.is_all_forever or not items.size:
            return items
        since = round(now * 1e6) - entries["time"]
        hidden: Int32s = items[since < kinds.hides_us(rule)[entries["kind"]]]
        return hidden

    def _put_in_order(self) -> None:
        entries = self._entries[: self._length]
        # Stable: what came later in the log stays behind what has the same time.
        entries = entries[entries["time"].argsort(kind="stable")]
        self._entries = entries[newest_seen(entries["item"], entries["kind"])]
        self._length = self._ordered = self._entries.size
