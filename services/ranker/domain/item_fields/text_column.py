"""A field of one text."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from services.common.arrays import Int32s, Ordinals, grown
from services.common.expressions.columns import Texts
from services.ranker.domain.item_fields.packed_rows import PackedRows
from services.ranker.domain.item_fields.text_codes import TextCodes

_NONE = -1
_AT_ONCE = 4096
"""Of texts that are decoded: what that takes for a moment stays small."""


class TextColumn:
    """As codes; for texts that many items share."""

    def __init__(self) -> None:
        self._codes: Int32s = np.zeros(0, np.int32)
        self._texts = TextCodes()

    def assign(self, ordinals: Ordinals, texts: Sequence[str]) -> None:
        """Set the texts of distinct items; "": none."""
        there = np.fromiter(map(bool, texts), np.bool_, len(texts))
        codes = np.full(len(texts), _NONE, np.int32)
        codes[there] = self._texts.take(filter(None, texts))
        last = int(ordinals[there].max(initial=-1))
        if last >= self._codes.size:
            self._codes = grown(self._codes, last + 1, _NONE)
        held = ordinals < self._codes.size
        before = self._codes[ordinals[held]]
        self._codes[ordinals[held]] = codes[held]
        self._texts.drop(before[before != _NONE].tolist())

    def column(self, size: int) -> Texts:
        """Return the texts of all ordinals below `size`."""
        self._codes = grown(self._codes, size, _NONE)
        return Texts(self._codes[:size], self._texts.values)


class RareTextColumn:
    """As bytes, until somebody asks for the column: for texts of their own, of which codes take
    several times as much.
    """

    def __init__(self) -> None:
        self._bytes = PackedRows(np.uint8)
        self._coded: TextColumn | None = None

    def assign(self, ordinals: Ordinals, texts: Sequence[str]) -> None:
        """Set the texts of distinct items; "": none."""
        if self._coded is not None:
            self._coded.assign(ordinals, texts)
            return
        encoded = [text.encode() for text in texts]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self._bytes.assign(ordinals, lengths, np.frombuffer(b"".join(encoded), np.uint8))

    def column(self, size: int) -> Texts:
        """Return the texts of all ordinals below `size`. The first time takes a while."""
        if self._coded is None:
            self._coded = TextColumn()
            for start in range(0, size, _AT_ONCE):
                rows = np.arange(start, min(size, start + _AT_ONCE))
                self._coded.assign(rows, self._decoded(rows))
            self._bytes = PackedRows(np.uint8)
        return self._coded.column(size)

    def _decoded(self, rows: Ordinals) -> list[str]:
        ends, values = self._bytes.gathered(rows)
        # All at once, so that bounds become those of characters.
        begins = np.append(0, np.cumsum((values & 0xC0) != 0x80))
        everything, bounds = values.tobytes().decode(), begins[ends].tolist()
        return [everything[first:end] for first, end in pairwise(bounds)]
