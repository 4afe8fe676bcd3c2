"""Values of single cells."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from services.dataset.row_fault import RowFaultError

_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14
_LATEST_SECONDS = 253_402_300_799
"""The end of the year 9999, which is where protobuf timestamps end."""


def text_of(cell: object) -> str:
    """Return a cell as text; numbers as JSON has them, 12.0 as "12".

    Raises:
        RowFaultError: it is a list, an object or a truth value.

    """
    match cell:
        case None:
            return ""
        case str():
            return cell.strip()
        case bool():
            raise RowFaultError("INVALID_VALUE", f"expected text, found {cell}")
        case int():
            return str(cell)
        case float():
            return str(int(cell)) if cell.is_integer() else repr(cell)
        case _:
            raise RowFaultError("INVALID_VALUE", f"expected text, found {type(cell).__name__}")


def number_of(cell: object, column: str) -> float | None:
    """Return a cell as a number, None when it is empty.

    Raises:
        RowFaultError: it is no number.

    """
    text = text_of(cell)
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise RowFaultError("INVALID_VALUE", f"{column} {text!r} is no number") from None


def list_of(cell: object, separator: str) -> list[str]:
    """Return the parts of a cell, without empty ones; `separator` " " means any white space."""
    if isinstance(cell, Sequence) and not isinstance(cell, str):
        parts: Sequence[str] = [text_of(part) for part in cell]
    else:
        text = text_of(cell)
        parts = text.split() if separator == " " else text.split(separator)
    return [part.strip() for part in parts if part.strip()]


def microseconds_of(cell: object) -> int | None:
    """Return a time in unix microseconds, None when the cell is empty.

    Numbers are seconds, from 1e11 on milliseconds, from 1e14 on microseconds. All else is ISO 8601;
    a time without a zone is UTC.

    Raises:
        RowFaultError: it is no time, or outside the years 1 to 9999.

    """
    text = text_of(cell)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return _iso_microseconds(text)
    if not math.isfinite(number):
        raise RowFaultError("INVALID_TIME", f"{text!r} is no time")
    size = abs(number)
    per_unit = 1 if size >= _MICROSECONDS_FROM else 1_000 if size >= _MILLISECONDS_FROM else 10**6
    # Whole numbers exactly: a float has no room for microseconds of today.
    whole = text.lstrip("+-").isdigit()
    micros = int(text) * per_unit if whole else round(number * per_unit)
    if abs(micros) > _LATEST_SECONDS * 10**6:
        raise RowFaultError("INVALID_TIME", f"{text} is too far away")
    return micros


def _iso_microseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RowFaultError(
            "INVALID_TIME", f"{text!r} is neither a unix time nor ISO 8601"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds


def first_of(cells: Mapping[str, object], column: str | None) -> object:
    """Return the cell of a column, None without column or cell."""
    return cells.get(column) if column is not None else None
