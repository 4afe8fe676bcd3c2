"""Whose items are whose: what somebody does with an item of their own teaches nobody anything."""

from collections.abc import Callable, Sequence

import numpy as np

from services.common.arrays import grown
from services.feed.parameters import Flags, Ints
from services.feedback.learner.model.item_table import ItemTable, ReadPayloads
from services.feedback.learner.model.user_table import NO_ITEM

OwnerOf = Callable[[str, bytes], bytes]
"""The user key that the owner of an item has, given tenant and payload; empty: it has none."""


class ItemOwners:
    """Owners of a tenant's items, read when somebody first does something with them."""

    def __init__(self, tenant: str, items: ItemTable, owner_of: OwnerOf | None) -> None:
        """`owner_of`: None: no item has an owner."""
        self._tenant = tenant
        self._items = items
        self._owner_of = owner_of
        self._read = ReadPayloads(items)
        self._codes: dict[bytes, int] = {}
        self._owners: Ints = np.zeros(0, np.int64)

    @property
    def any_known(self) -> bool:
        """Whether any item that something was done with had an owner."""
        return bool(self._codes)

    def own(self, user_keys: Sequence[bytes], ordinals: Ints) -> Flags:
        """Return which of the items [n], NO_ITEM among them, belong to the users [n]."""
        if self._owner_of is None:
            return np.zeros(ordinals.size, np.bool_)
        known = ordinals[ordinals != NO_ITEM]
        self._owners = grown(self._owners, self._items.capacity, 0)
        for ordinal in self._read.news(known).tolist():
            owner = self._owner_of(self._tenant, self._items.payloads[ordinal])
            code = self._codes.setdefault(owner, len(self._codes) + 1) if owner else 0
            self._owners[ordinal] = code
        if not self._codes:
            return np.zeros(ordinals.size, np.bool_)
        users = np.array([self._codes.get(key, -1) for key in user_keys], np.int64)
        own: Flags = (ordinals != NO_ITEM) & (self._owners[ordinals] == users)
        return own
