"""What can be wrong with a source, its columns, or one of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_VALUE_CHARACTERS = 200


class SourceError(Exception):
    """A source as a whole cannot be read; the message says why, and what to do."""


class ColumnError(Exception):
    """A column that was asked for, or is required, is not there, or is there twice."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row was not taken: a reason in capitals, one sentence, and the column if it is one."""

    reason: str
    detail: str
    column: str = ""
    value: str = ""


class RowFaultError(Exception):
    """A cell cannot be read."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def fault(self, column: str | None = None, cell: object = "") -> RowFault:
        """Return the fault of a row whose cell this is."""
        return RowFault(self.reason, self.detail, column or "", shown(cell))


@dataclass(frozen=True, slots=True)
class FaultyRow:
    """A row that was not taken.

    `number` counts rows from 1 over all files of a source, without headers and empty lines; `line`
    counts the lines of `file` from 1, 0 where there are none. `cells`: the row as it was read.
    """

    number: int
    line: int
    file: str
    fault: RowFault
    cells: Mapping[str, object] = field(default_factory=dict)

    def numbered(self, number: int) -> "FaultyRow":
        """Return the same row under another number."""
        return replace(self, number=number)


def shown(cell: object) -> str:
    """Return a cell as it may be printed: short, and text in any case."""
    text = "" if cell is None else cell if isinstance(cell, str) else repr(cell)
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= _VALUE_CHARACTERS:
        return text
    return f"{text[:_VALUE_CHARACTERS]}… ({len(text):,} characters)"
