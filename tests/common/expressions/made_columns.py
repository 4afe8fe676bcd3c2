"""Items as plain dictionaries, and their columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from services.common.expressions.columns import (
    Numbers,
    TextField,
    TextLists,
    Texts,
    TextsField,
    TimeField,
    Times,
)
from services.common.expressions.interned import Interned

Item = Mapping[str, Any]
"""Fields by name; times in microseconds. What is not there the item does not have."""


@dataclass(slots=True)
class MadeColumns:
    """Columns of items that are given as dictionaries."""

    items: Sequence[Item]
    revision: int = 0
    reads: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.items)

    def text(self, field: TextField) -> Texts:
        self.reads.append(field)
        codes: dict[str, int] = {}
        found = [_code(codes, item.get(field) or None) for item in self.items]
        return Texts(np.array(found, dtype=np.int32), _interned(codes))

    def texts(self, field: TextsField) -> TextLists:
        # Codes of what no item has do no harm.
        codes: dict[str, int] = {"nobody's": 0}
        lists = [[_code(codes, text) for text in item.get(field, ())] for item in self.items]
        starts = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        # Nor does room beyond the last list.
        flat = [code for one in lists for code in one] + [0, 0]
        return TextLists(starts, np.array(flat, dtype=np.int32), _interned(codes))

    def number(self, key: str) -> Numbers | None:
        found = [item.get("numbers", {}).get(key) for item in self.items]
        if all(number is None for number in found):
            return None
        values = np.array([np.nan if number is None else number for number in found], dtype=float)
        return Numbers(values, np.array([number is not None for number in found]))

    def time(self, field: TimeField) -> Times:
        found = [item.get(field) for item in self.items]
        us = np.array([-1 if one is None else one for one in found], dtype=np.int64)
        return Times(us, np.array([one is not None for one in found], dtype=np.bool_))


def _code(codes: dict[str, int], text: str | None) -> int:
    return -1 if text is None else codes.setdefault(text, len(codes))


def _interned(codes: dict[str, int]) -> Interned:
    return Interned(list(codes), codes)
