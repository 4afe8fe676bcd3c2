"""What users were shown lately, of surfaces that go by it.

This replica's own slates at once, those of others when the entries lane tells of them, some tenths
of a second later. In memory: what was shown before a replica started, it does not know.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

from services.common.arrays import Ordinals
from services.feed.entries import TenantEntries, erased_among

_MOST_USERS = 100_000
OrdinalsOf = Callable[[list[str]], Ordinals]


class _Shown(NamedTuple):
    slate_id: str
    items: Ordinals


class ShownSlates:
    """The last slates of users by surface; who was longest without one is forgotten first."""

    def __init__(self, most_users: int = _MOST_USERS) -> None:
        """Remember slates of `most_users` users and surfaces."""
        self._most = most_users
        self._shown: OrderedDict[tuple[bytes, str], list[_Shown]] = OrderedDict()

    def of(self, user_key: bytes, surface: str, slates: int) -> Sequence[Ordinals]:
        """Return the items of a user's last `slates` on a surface, newest first."""
        held = self._shown.get((user_key, surface))
        return [one.items for one in held][:slates] if held else []

    def add(
        self, user_key: bytes, surface: str, slate_id: str, items: Ordinals, slates: int
    ) -> None:
        """Remember a slate that was shown, and of those before it what makes `slates` with it.

        One that is known already changes nothing. Ids of slates ascend with time (UUIDv7), and one
        that is heard of late takes its place.
        """
        held = self._shown.setdefault((user_key, surface), [])
        if any(one.slate_id == slate_id for one in held):
            return
        held.append(_Shown(slate_id, items))
        held.sort(key=attrgetter("slate_id"), reverse=True)
        del held[slates:]
        self._shown.move_to_end((user_key, surface))
        if len(self._shown) > self._most:
            self._shown.popitem(last=False)

    def take(self, entries: TenantEntries, ordinals: OrdinalsOf) -> None:
        """Remember what the log says was shown, by any replica. ordinals: of ids, without those
        that are not known. Forget who was erased.
        """
        if entries.erased:
            gone = erased_among(entries.erased, {user_key for user_key, _ in self._shown})
            for key in [key for key in self._shown if key[0] in gone]:
                del self._shown[key]
        for slate in entries.shown:
            items = ordinals([entries.item_ids[item] for item in slate.items])
            self.add(slate.user_key, slate.surface, slate.slate_id, items, slate.slates)
