"""What users were shown lately, of surfaces that ask for it.

In the memory of this replica: another one does not know of it, nor does this one after a restart.
A user who stays with a replica (as a load balancer that hashes by user has it) meets all of it.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from services.common.arrays import Ordinals
from services.ranker.domain.tenant_replica import TenantReplica

_MOST_USERS = 100_000
_Slates = OrderedDict[tuple[bytes, str], deque[Ordinals]]


class ShownSlates:
    """The last slates of users by surface; who was longest without one is forgotten first."""

    def __init__(self, most_users: int = _MOST_USERS) -> None:
        """Remember slates of `most_users` users and surfaces of a tenant."""
        self._most = most_users
        self._shown: WeakKeyDictionary[TenantReplica, _Slates] = WeakKeyDictionary()

    def of(
        self, replica: TenantReplica, user_key: bytes, surface: str, slates: int
    ) -> Sequence[Ordinals]:
        """Return the items of a user's last `slates` on a surface, newest first."""
        own = self._shown.get(replica)
        held = None if own is None else own.get((user_key, surface))
        return [*held][:slates] if held else []

    def add(
        self, replica: TenantReplica, user_key: bytes, surface: str, items: Ordinals, slates: int
    ) -> None:
        """Remember a slate that was shown, and of those before it what makes `slates` with it."""
        own = self._shown.setdefault(replica, OrderedDict())
        held = own.setdefault((user_key, surface), deque())
        held.appendleft(items)
        while len(held) > slates:
            held.pop()
        own.move_to_end((user_key, surface))
        if len(own) > self._most:
            own.popitem(last=False)
