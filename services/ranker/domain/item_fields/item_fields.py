"""The fields of all items of a catalogue, as columns."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.common.arrays import Bools, Int32s, Ordinals
from services.common.expressions.columns import (
    Numbers,
    TextField,
    TextLists,
    Texts,
    TextsField,
    TimeField,
    Times,
)
from services.feed.parameters import ItemFacts
from services.ranker.domain.item_fields.category_column import CategoryColumn
from services.ranker.domain.item_fields.number_columns import NumberColumns
from services.ranker.domain.item_fields.text_column import RareTextColumn, TextColumn
from services.ranker.domain.item_fields.text_lists import TextListColumn
from services.ranker.domain.item_fields.time_column import TimeColumn


class ItemFields:
    """The ItemColumns of expressions, as frames say; all requests read the same.

    An item that is not listed has an id and nothing else. Categories and tags of an item are each
    there once; times are to the microsecond. Columns are good until the next change.
    """

    def __init__(self, ids: Sequence[str], categories: CategoryColumn) -> None:
        """`ids` by ordinal, each once, and their categories: the owner changes them, and says so by
        `added` and `assign`.
        """
        self._ids = ids
        self._categories = categories
        self._numbered: Int32s = np.zeros(0, np.int32)
        self._titles = RareTextColumn()
        self._owners = TextColumn()
        self._tags = TextListColumn()
        self._numbers = NumberColumns()
        self._times: dict[TimeField, TimeColumn] = {
            "publish_time": TimeColumn(),
            "update_time": TimeColumn(),
            "expire_time": TimeColumn(),
        }
        self._revision = 0

    @property
    def size(self) -> int:
        """How many ordinals there are."""
        return len(self._ids)

    @property
    def revision(self) -> int:
        """Changes whenever any column does; of one catalogue never the same again."""
        return self._revision

    def added(self) -> None:
        """Take note that there is another id."""
        self._revision += 1

    def assign(self, facts: Mapping[int, ItemFacts]) -> None:
        """Set all fields but id and categories, by ordinal."""
        ordinals, items = np.fromiter(facts, np.int64, len(facts)), facts.values()
        self._titles.assign(ordinals, [one.title for one in items])
        self._owners.assign(ordinals, [one.owner for one in items])
        self._tags.assign(ordinals, [one.tags for one in items])
        self._numbers.assign(ordinals, [one.numbers for one in items])
        for field, times in self._times.items():
            times.assign(ordinals, [getattr(one, f"{field}_us") for one in items])
        self._revision += 1

    def text(self, field: TextField) -> Texts:
        """Return a field of one text. The first time, titles take some tens of milliseconds for
        100,000 items.
        """
        match field:
            case "id":
                if self._numbered.size < self.size:
                    self._numbered = np.arange(self.size, dtype=np.int32)
                return Texts(self._numbered, self._ids)
            case "title":
                return self._titles.column(self.size)
            case "owner":
                return self._owners.column(self.size)

    def texts(self, field: TextsField) -> TextLists:
        """Return a field of several texts."""
        return self._categories.lists() if field == "categories" else self._tags.column(self.size)

    def number(self, key: str) -> Numbers | None:
        """Return the number under a key, or None when no item has one."""
        return self._numbers.column(key, self.size)

    def time(self, field: TimeField) -> Times:
        """Return a field that is a time."""
        return self._times[field].column(self.size)

    def newest(self, eligible: Bools, count: int, after_us: int, until_us: int) -> Ordinals:
        """Return at most `count` eligible ordinals that were published after a time and not after
        another, in unix microseconds; newest first, equal times by ordinal.
        """
        us, present = self.time("publish_time")
        found = np.flatnonzero(eligible & present & (us > after_us) & (us <= until_us))
        ages = -us[found]
        if 0 < count < found.size:
            # All of the last one's time stay in: which of them count is by ordinal.
            last = np.partition(ages, count - 1)[count - 1]
            found, ages = found[ages <= last], ages[ages <= last]
        return found[np.argsort(ages, kind="stable")[:count]]
