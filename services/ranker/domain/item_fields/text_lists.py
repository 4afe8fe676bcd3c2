"""Lists of texts of all items, one after the other, kept up when few of them change."""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from services.common.arrays import Int32s, Ordinals
from services.common.expressions.columns import TextLists
from services.ranker.domain.item_fields.packed_rows import PackedRows
from services.ranker.domain.item_fields.text_codes import TextCodes

_FEW = 64
"""Changed items up to which lists are put in between; of more, all are gathered again."""

Gather = Callable[[Ordinals], tuple[Ordinals, Int32s]]
"""Returns the lists of items: where each starts and the last ends, and codes."""


class KeptLists:
    """Made when first asked for; then only what changed is."""

    def __init__(self, gather: Gather) -> None:
        self._gather = gather
        self._starts: Ordinals | None = None
        self._codes: Int32s = np.zeros(0, np.int32)
        self._changed: set[int] = set()

    def note(self, ordinals: Sequence[int]) -> None:
        """Take note that the lists of items changed."""
        if self._starts is not None:
            self._changed.update(ordinals)

    def lists(self, size: int) -> tuple[Ordinals, Int32s]:
        """Return the lists of all ordinals below `size`, which never falls."""
        starts = self._starts
        if starts is None or len(self._changed) > _FEW:
            starts, self._codes = self._gather(np.arange(size))
        else:
            if starts.size <= size:
                # Lists of new items are empty, until they are put in.
                starts = np.append(starts, np.full(size + 1 - starts.size, starts[-1]))
            if self._changed:
                starts = self._with_changed(starts)
        self._starts = starts
        self._changed.clear()
        return starts, self._codes

    def _with_changed(self, starts: Ordinals) -> Ordinals:
        rows = np.array(sorted(self._changed), np.int64)
        ends, codes = self._gather(rows)
        pieces: list[Int32s] = []
        done = 0
        for number, row in enumerate(rows.tolist()):
            pieces += self._codes[done : starts[row]], codes[ends[number] : ends[number + 1]]
            done = int(starts[row + 1])
        self._codes = np.concatenate([*pieces, self._codes[done:]])
        lengths = np.diff(starts)
        lengths[rows] = np.diff(ends)
        spliced: Ordinals = np.zeros(starts.size, np.int64)
        np.cumsum(lengths, out=spliced[1:])
        return spliced


class TextListColumn:
    """A field of several texts."""

    def __init__(self) -> None:
        self._rows = PackedRows(np.int32)
        self._texts = TextCodes()
        self._kept = KeptLists(self._rows.gathered)

    def assign(self, ordinals: Ordinals, lists: Sequence[Sequence[str]]) -> None:
        """Set the lists of distinct items."""
        _, before = self._rows.gathered(ordinals)
        codes = self._texts.take(chain.from_iterable(lists))
        self._texts.drop(before.tolist())
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        self._rows.assign(ordinals, lengths, np.array(codes, np.int32))
        self._kept.note(ordinals.tolist())

    def column(self, size: int) -> TextLists:
        """Return the lists of all ordinals below `size`."""
        return TextLists(*self._kept.lists(size), self._texts.values)
