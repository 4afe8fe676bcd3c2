"""Which sessions and users are which user, as the log has it: from each link on."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

_REMEMBERED = 30
"""Links known of a session or user, for retractions; before them it counts as by itself."""


class LinkChange(NamedTuple):
    """Who a session or user is from a log sequence on; `into` is empty: by itself."""

    sequence: int
    into: bytes


class UserLinks:
    """Links by stored key, oldest first. They are flat: who is linked to is linked to nobody."""

    def __init__(self) -> None:
        self._changes: dict[bytes, list[LinkChange]] = {}
        self._ever: dict[bytes, list[bytes]] = {}

    @property
    def any_known(self) -> bool:
        """Whether anybody was ever linked."""
        return bool(self._changes)

    def note(self, user_key: bytes, change: LinkChange) -> None:
        """Take the next link of a session or user."""
        own = self._changes.setdefault(user_key, [])
        own.append(change)
        del own[:-_REMEMBERED]
        if change.into:
            ever = self._ever.setdefault(change.into, [])
            if user_key not in ever:
                ever.append(user_key)

    def forget(self, user_key: bytes) -> None:
        """Forget the links of a session or user, and those to it."""
        for change in self._changes.pop(user_key, ()):
            ever = self._ever.get(change.into, [])
            if user_key in ever:
                ever.remove(user_key)
        for other in self._ever.pop(user_key, ()):
            own = [one for one in self._changes.get(other, ()) if one.into != user_key]
            if own:
                self._changes[other] = own
            else:
                self._changes.pop(other, None)

    def root(self, user_key: bytes, sequence: int) -> bytes:
        """Return who a session or user is at a log sequence."""
        own = self._changes.get(user_key)
        if own is None:
            return user_key
        place = bisect_right(own, sequence, key=lambda one: one.sequence)
        return own[place - 1].into or user_key if place else user_key

    def members(self, root: bytes, sequence: int) -> list[bytes]:
        """Return who else is a user at a log sequence."""
        return [key for key in self._ever.get(root, ()) if self.root(key, sequence) == root]

    def of(self, user_key: bytes) -> Sequence[LinkChange]:
        """Return the links of a session or user, oldest first."""
        return self._changes.get(user_key, ())
