"""Which categories items are in, as one number an item."""

import numpy as np

from services.common.arrays import NO_ORDINALS, Int32s, Ordinals, grown

_NONE = 0


class CategoryColumn:
    """Items share what they are in: of many items, the different combinations are few."""

    def __init__(self) -> None:
        self._numbers: Int32s = np.zeros(0, dtype=np.int32)
        self._size = 0
        self._number_of: dict[tuple[str, ...], int] = {(): _NONE}
        self._combinations: list[tuple[str, ...]] = [()]
        self._items_of: list[int] = [0]
        self._free: list[int] = []
        self._holding: dict[str, set[int]] = {}
        """Combinations with a category."""
        self._members: dict[str, Ordinals] = {}

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`; new ones are in no category."""
        self._numbers = grown(self._numbers, size, _NONE)
        self._size = max(size, self._size)

    def set(self, ordinal: int, categories: tuple[str, ...]) -> None:
        """Set what an item is in."""
        before = int(self._numbers[ordinal])
        if self._combinations[before] == categories:
            return
        for category in (*self._combinations[before], *categories):
            self._members.pop(category, None)
        after = self._number(categories)
        self._numbers[ordinal] = after
        self._items_of[after] += 1
        self._items_of[before] -= 1
        if before != _NONE and self._items_of[before] == 0:
            self._drop(before)

    def members(self, category: str) -> Ordinals:
        """Return the ordinals of the items in a category, ascending."""
        members = self._members.get(category)
        if members is None:
            holding = self._holding.get(category)
            if holding is None:
                return NO_ORDINALS
            holds = np.zeros(len(self._combinations), dtype=np.bool_)
            holds[list(holding)] = True
            members = holds[self._numbers[: self._size]].nonzero()[0]
            self._members[category] = members
        return members

    def _number(self, categories: tuple[str, ...]) -> int:
        number = self._number_of.get(categories)
        if number is None:
            if self._free:
                number = self._free.pop()
                self._combinations[number] = categories
            else:
                number = len(self._combinations)
                self._combinations.append(categories)
                self._items_of.append(0)
            self._number_of[categories] = number
            for category in categories:
                self._holding.setdefault(category, set()).add(number)
        return number

    def _drop(self, number: int) -> None:
        """Forget a combination that no item has any more."""
        for category in self._combinations[number]:
            holding = self._holding[category]
            holding.discard(number)
            if not holding:
                del self._holding[category]
        del self._number_of[self._combinations[number]]
        self._combinations[number] = ()
        self._free.append(number)
