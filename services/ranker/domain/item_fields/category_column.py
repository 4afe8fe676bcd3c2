"""Which categories items are in, as one number an item."""

import numpy as np

from services.common.arrays import NO_ORDINALS, Int32s, Ordinals, grown
from services.common.expressions.columns import TextLists
from services.ranker.domain.item_fields.packed_rows import PackedRows
from services.ranker.domain.item_fields.text_codes import TextCodes
from services.ranker.domain.item_fields.text_lists import KeptLists

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
        self._texts = TextCodes()
        self._codes = PackedRows(np.int32)
        """Codes of the categories of combinations."""
        self._lists = KeptLists(self._gathered)

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
        self._lists.note([ordinal])
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

    def lists(self) -> TextLists:
        """Return the categories of all items, each in the order in which it has them."""
        return TextLists(*self._lists.lists(self._size), self._texts.values)

    def _gathered(self, items: Ordinals) -> tuple[Ordinals, Int32s]:
        return self._codes.gathered(self._numbers[items])

    def _set_codes(self, number: int, codes: list[int]) -> None:
        self._codes.assign(np.array([number]), np.array([len(codes)]), np.array(codes, np.int32))

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
            self._set_codes(number, self._texts.take(categories))
        return number

    def _drop(self, number: int) -> None:
        """Forget a combination that no item has any more."""
        for category in self._combinations[number]:
            holding = self._holding[category]
            holding.discard(number)
            if not holding:
                del self._holding[category]
        del self._number_of[self._combinations[number]]
        self._texts.drop(self._codes.gathered(np.array([number]))[1].tolist())
        self._set_codes(number, [])
        self._combinations[number] = ()
        self._free.append(number)
