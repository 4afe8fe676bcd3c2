"""Cells as texts, numbers, lists and truth."""

import ast
import datetime
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final

from services.dataset.faults import RowFaultError

_TRUE = frozenset({"true", "yes", "t", "y", "in stock", "in_stock", "instock", "available"})
_FALSE = frozenset({"false", "no", "f", "n", "out of stock", "out_of_stock", "outofstock",
                    "unavailable", "discontinued"})  # fmt: skip
_NOT_A_NUMBER = frozenset({"nan", "nat", "<na>"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_COMMA_NUMBER = re.compile(
    r"[+-]?(\d+|\d{1,3}(?P<group>[.' \u00a0\u202f\u2019])\d{3}((?P=group)\d{3})*)?"
    r"(,\d*)?(e[+-]?\d+)?",
    re.ASCII | re.IGNORECASE,
)
_GROUPS = str.maketrans(",", ".", ".' \u00a0\u202f\u2019")
_EPOCH = datetime.datetime(1970, 1, 1)
_EXACT_DIGITS = 400
_EXACT_INTEGERS = 2**53
_LONGEST_LIST = 1 << 20


class Absent(Enum):
    """The row has no such field at all, which is less than an empty one."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of a typed source: unix microseconds; without a zone as if in UTC, not `aware`."""

    micros: int
    aware: bool

    def __str__(self) -> str:
        try:
            written = _EPOCH + datetime.timedelta(microseconds=self.micros)
        except OverflowError:
            return f"{self.micros} microseconds since 1970"
        return written.isoformat() + ("Z" if self.aware else "")

    def __repr__(self) -> str:
        # As it is shown to people.
        return str(self)


def moment_of(time: datetime.datetime) -> Moment:
    """Return a time of Python as a Moment."""
    aware = time.tzinfo is not None
    # The difference, not a conversion, which ends at the years 1 and 9999.
    since = time - (_EPOCH.replace(tzinfo=datetime.UTC) if aware else _EPOCH)
    return Moment(since // datetime.timedelta(microseconds=1), aware)


def plain_cell(cell: object) -> object:
    """Return a cell of a typed source (JSON, Parquet, PostgreSQL) as text, number, truth, time,
    list, object or None.

    Days become ISO 8601, UUIDs text, decimals exact numbers or text, bytes text where they are
    UTF-8. NaN is an empty cell, which is what data frames mean by it.
    """
    match cell:
        case None | bool() | int() | str() | Absent() | Moment():
            return cell
        case float():
            return None if math.isnan(cell) else cell
        case datetime.datetime():
            return moment_of(cell)
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case Decimal():
            return _plain_decimal(cell)
        case uuid.UUID():
            return str(cell)
        case bytes():
            return cell.decode("utf-8", "surrogateescape")
        case Mapping():
            return {str(name): plain_cell(one) for name, one in cell.items()}
        case list() | tuple() | set() | frozenset():
            return [plain_cell(one) for one in cell]
        case _:
            return str(cell)


def _plain_decimal(cell: Decimal) -> object:
    if not cell.is_finite():
        return None if cell.is_nan() else float(cell)
    # The exponent is a number here: the value is finite.
    if cell.adjusted() > _EXACT_DIGITS:
        return str(cell)
    if cell == cell.to_integral_value():
        return int(cell)
    return float(cell) if Decimal(repr(float(cell))) == cell else f"{cell.normalize():f}"


def text_of(cell: object) -> str:
    """Return a cell as text; numbers as JSON has them, 12.0 as "12".

    Raises:
        RowFaultError: it is a list, an object, a truth value or infinite.

    """
    match cell:
        case None | Absent():
            return ""
        case str():
            return cell.strip()
        case Moment():
            return str(cell)
        case bool():
            raise RowFaultError("INVALID_VALUE", f"expected text, found {str(cell).lower()}")
        case int():
            return str(cell)
        case float() if math.isnan(cell):
            return ""
        case float() if math.isfinite(cell) and abs(cell) > _EXACT_INTEGERS:
            raise RowFaultError(
                "INVALID_VALUE", f"{cell!r} has lost digits as a float: write such ids as text"
            )
        case float() if math.isinf(cell):
            # What JSON reads of a number that no double holds.
            raise RowFaultError("INVALID_VALUE", f"{cell!r} is no finite number")
        case float():
            return str(int(cell)) if cell.is_integer() else repr(cell)
        case _:
            kind = "a list" if isinstance(cell, Sequence) else "an object"
            raise RowFaultError("INVALID_VALUE", f"expected text, found {kind}")


class DecimalMark(StrEnum):
    """What stands before the fraction of a number in text."""

    POINT = "."
    COMMA = ","


def number_of(cell: object, mark: DecimalMark = DecimalMark.POINT) -> float | None:
    """Return a cell as a finite number; None when it is empty or says that it is no number.

    With a comma as `mark`, thousands may be grouped by points, spaces or apostrophes: "1.089,90".

    Raises:
        RowFaultError: it is something else, or beyond what a double holds.

    """
    if isinstance(cell, float) and math.isfinite(cell):
        return cell
    text = text_of(cell)
    if not text or text.lower() in _NOT_A_NUMBER:
        return None
    plain = text
    # A number in a typed source has its point, whatever texts have.
    if mark is DecimalMark.COMMA and isinstance(cell, str):
        plain = text.translate(_GROUPS) if _COMMA_NUMBER.fullmatch(text) else ""
    if not _NUMBER.fullmatch(plain):
        named = mark is DecimalMark.POINT and _COMMA_NUMBER.fullmatch(text)
        hint = " (--decimal , reads such)" if named else ""
        raise RowFaultError("INVALID_VALUE", f"{text[:64]!r} is no finite number{hint}")
    number = float(plain)
    if not math.isfinite(number):
        raise RowFaultError("INVALID_VALUE", f"{text[:64]!r} is too large for a number")
    return number


def list_of(cell: object, separator: str) -> list[str]:
    """Return the parts of a cell, without empty ones; `separator` " " means any white space.

    A list is its elements; so is a text that holds a list, as JSON or as Python writes it. An
    object in a list is its "name".

    Raises:
        RowFaultError: an element is neither text nor number.

    """
    if isinstance(cell, str):
        cell = _list_in_text(cell.strip())
    if isinstance(cell, Mapping):
        cell = [cell]
    if isinstance(cell, Sequence) and not isinstance(cell, str):
        parts = [text_of(_name_of(part)) for part in cell]
    else:
        text = text_of(cell)
        parts = text.split() if separator == " " else text.split(separator)
    return [part.strip() for part in parts if part.strip()]


def _name_of(part: object) -> object:
    if not isinstance(part, Mapping):
        return part
    if "name" not in part:
        raise RowFaultError("INVALID_VALUE", 'an object of the list has no "name"')
    return part["name"]


def _list_in_text(text: str) -> object:
    """Return the list that a text holds; the text itself where it holds none."""
    if not (text.startswith("[") and text.endswith("]")) or len(text) > _LONGEST_LIST:
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list):
            return found
    return text


def truth_of(cell: object) -> bool | None:
    """Return a cell as true or false, None when it is empty; a count is true above 0.

    Raises:
        RowFaultError: it is neither.

    """
    if isinstance(cell, bool):
        return cell
    text = text_of(cell).lower()
    if not text:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    try:
        number = number_of(text)
    except RowFaultError:
        raise RowFaultError(
            "INVALID_VALUE", f"{text[:64]!r} is neither true nor false, and no count"
        ) from None
    return None if number is None else number > 0
