"""What expressions read of items: one column for each field, by ordinal."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from services.common.arrays import Bools, Float64s, Int32s, Ordinals

TextField = Literal["id", "title", "owner"]
TextsField = Literal["categories", "tags"]
TimeField = Literal["publish_time", "expire_time", "update_time"]


class Texts(NamedTuple):
    """A text of each item, or none. An empty text counts as none: its code is -1."""

    codes: Int32s
    """[n], places in `values`, each below their number; -1: the item has none."""
    values: Sequence[str]
    """The texts by code, each once (quickest as `Interned`). Codes that no item has do no harm."""


class TextLists(NamedTuple):
    """A list of texts of each item, which may be empty."""

    starts: Ordinals
    """[n + 1], from 0, never falling: item i has codes[starts[i]:starts[i + 1]]."""
    codes: Int32s
    """[starts[-1]] at least, places in `values`, in the order of each list."""
    values: Sequence[str]
    """The texts by code, each once (quickest as `Interned`). Codes that no item has do no harm."""


class Numbers(NamedTuple):
    """A number of each item, or none."""

    values: Float64s
    """[n], finite; anything where the item has none."""
    present: Bools
    """[n]"""


class Times(NamedTuple):
    """A time of each item, or none."""

    us: Ordinals
    """[n], int64: microseconds since 1970, in the years 1 to 9999; anything where there is none."""
    present: Bools
    """[n]"""


class ItemColumns(Protocol):
    """Fields of the items of a catalogue, as columns over the same ordinals.

    Expressions read them and never change them. Between two changes of `revision` all columns stay
    as they are; masks are kept by it.
    """

    @property
    def size(self) -> int:
        """How many ordinals there are: n, the length of each column."""

    @property
    def revision(self) -> int:
        """Changes whenever any column does. Never the same again for other columns."""

    def text(self, field: TextField) -> Texts:
        """Return a field of one text."""

    def texts(self, field: TextsField) -> TextLists:
        """Return a field of several texts."""

    def number(self, key: str) -> Numbers | None:
        """Return the number under a key, or None when no item has one."""

    def time(self, field: TimeField) -> Times:
        """Return a field that is a time."""
