"""Numbers by key: few of the keys are ever asked for."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals, grown
from services.common.expressions.columns import Numbers
from services.ranker.domain.item_fields.packed_rows import PackedRows
from services.ranker.domain.item_fields.text_codes import TextCodes

_PAIR = np.dtype([("key", np.int32), ("value", np.float64)])
_MAX_KEPT = 32


class NumberColumns:
    """All numbers of each item in a row; of the keys that were asked for last, whole columns too.

    So a key that few items have takes what these have, and not a column.
    """

    def __init__(self) -> None:
        self._rows = PackedRows(_PAIR)
        self._keys = TextCodes()
        self._kept: OrderedDict[str, tuple[Float64s, Bools]] = OrderedDict()

    def assign(self, ordinals: Ordinals, numbers: Sequence[Mapping[str, float]]) -> None:
        """Set the numbers of distinct items."""
        _, before = self._rows.gathered(ordinals)
        codes = self._keys.take(chain.from_iterable(numbers))
        self._keys.drop(before["key"].tolist())
        pairs = np.empty(len(codes), _PAIR)
        pairs["key"] = codes
        pairs["value"] = list(chain.from_iterable(one.values() for one in numbers))
        lengths = np.fromiter(map(len, numbers), np.int64, len(numbers))
        self._rows.assign(ordinals, lengths, pairs)
        for key, (values, present) in self._kept.items():
            last = int(ordinals.max(initial=-1))
            values, present = grown(values, last + 1, 0), grown(present, last + 1, 0)
            present[ordinals] = [key in one for one in numbers]
            values[ordinals] = [one.get(key, 0.0) for one in numbers]
            self._kept[key] = values, present

    def column(self, key: str, size: int) -> Numbers | None:
        """Return the numbers of all ordinals below `size`, or None when no item has one."""
        code = self._keys.find(key)
        if code is None:
            return None
        values, present = self._kept.get(key) or self._gathered(code, size)
        values, present = grown(values, size, 0), grown(present, size, 0)
        self._kept[key] = values, present
        self._kept.move_to_end(key)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return Numbers(values[:size], present[:size])

    def _gathered(self, code: int, size: int) -> tuple[Float64s, Bools]:
        ends, pairs = self._rows.gathered(np.arange(size))
        these = pairs["key"] == code
        rows = np.repeat(np.arange(size), np.diff(ends))[these]
        values, present = np.zeros(size), np.zeros(size, np.bool_)
        values[rows], present[rows] = pairs["value"][these], True
        return values, present
