"""The newest entries of users, so that what was known of one a moment ago can be brought up to now.

The owner of users writes behind: its answer reflects the log up to some position, a second ago
perhaps. What came since is here, unless the answer is older than the window.
"""

from collections import deque
from collections.abc import Collection, Mapping
from typing import NamedTuple

from services.feed.entries import Entries
from services.ranker.domain.user_entries import UserEntries


class _Stretch(NamedTuple):
    """The users of a stretch by tenant, how many events it has, and when it came, in seconds."""

    through: int
    tenants: Mapping[str, UserEntries]
    events: int
    at: float


class EntriesWindow:
    """At most so many events, none older than so many seconds when the next one comes."""

    def __init__(self, max_events: int, max_seconds: float) -> None:
        self._max_events = max_events
        self._max_seconds = max_seconds
        self._stretches: deque[_Stretch] = deque()
        self._events = 0
        self.start: int | None = None
        """Sequence after which all that was added is here; None: nothing was added."""

    def __len__(self) -> int:
        """Return how many events there are."""
        return self._events

    def add(self, entries: Entries, now: float) -> Mapping[str, UserEntries]:
        """Add the next stretch at a time, in seconds of any clock; return its users by tenant."""
        if self.start is None:
            self.start = entries.after_sequence
        through = entries.through_sequence
        tenants = {
            own.tenant: UserEntries(own, through)
            for own in entries.tenants
            if own.user_keys or own.erased
        }
        if tenants:
            events = sum(len(own.events) + len(own.retracted) for own in entries.tenants)
            self._stretches.append(_Stretch(through, tenants, events, now))
            self._events += events
        while self._stretches and (
            self._events > self._max_events or self._stretches[0].at < now - self._max_seconds
        ):
            gone = self._stretches.popleft()
            self._events -= gone.events
            self.start = gone.through
        return tenants

    def since(self, tenant: str, user_keys: Collection[bytes], sequence: int) -> list[UserEntries]:
        """Return what says something of some users after a sequence, not before `start`."""
        found = []
        for stretch in reversed(self._stretches):
            if stretch.through <= sequence:
                break
            own = stretch.tenants.get(tenant)
            if own is not None and not own.users.keys().isdisjoint(user_keys):
                found.append(own)
        found.reverse()
        return found

    def middle(self) -> int | None:
        """Return a sequence half-way between start and end, in stretches; None: there are none."""
        if not self._stretches:
            return self.start
        return self._stretches[len(self._stretches) // 2].through

    def forget(self) -> None:
        """Begin anew."""
        self._stretches.clear()
        self._events = 0
        self.start = None
