"""Where an expression is evaluated: over which rows, with which variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from services.common.arrays import Ordinals
from services.common.expressions.columns import ItemColumns, TextField, TextsField, TimeField
from services.common.expressions.request import Request
from services.common.expressions.values import FAILED, Kind, Value, doubles, texts, times


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows are items, or what the lists of items hold, each with its item."""

    request: Request
    columns: ItemColumns | None = None
    """None: `item` is not read."""
    size: int = 1
    """How many rows."""
    rows: Ordinals | None = None
    """[size], the item of each row; None: row i is item i."""
    variables: Mapping[str, Value] = field(default_factory=dict)
    """Of macros."""

    def bound(self, name: str, value: Value) -> Self:
        """Return this with a variable."""
        return replace(self, variables={**self.variables, name: value})

    def text(self, of: TextField) -> Value:
        """Return a field of one text; an error where there is none."""
        column = self._columns.text(of)
        value = texts(column.codes, column.values, column.codes < 0)
        return value if self.rows is None else value.taken(self.rows)

    def texts(self, of: TextsField) -> Value:
        """Return a field of several texts, by item: no row of a macro is asked for one."""
        return Value(Kind.TEXTS, lists=self._columns.texts(of))

    def number(self, key: str) -> Value:
        """Return a number; an error where there is none."""
        column = self._columns.number(key)
        if column is None:
            return FAILED
        value = doubles(column.values, ~column.present)
        return value if self.rows is None else value.taken(self.rows)

    def time(self, of: TimeField) -> Value:
        """Return a time; an error where there is none."""
        column = self._columns.time(of)
        value = times(column.us, ~column.present)
        return value if self.rows is None else value.taken(self.rows)

    @property
    def _columns(self) -> ItemColumns:
        if self.columns is None:
            raise LookupError("an expression without items reads a field of items")
        return self.columns
