"""Values of columns: one of each row, or one for all rows, each with its errors."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from services.common.arrays import Bools, Float64s, Int32s, Ordinals
from services.common.expressions.columns import TextLists


class Kind(enum.Enum):
    """Types of values, as messages call them."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    TEXT = "string"
    TIME = "timestamp"
    DURATION = "duration"
    LIST = "list"
    """Of values that each are for all rows, or each a column."""
    TEXTS = "list of strings"
    """A list of texts for each item."""
    MAP = "map"
    NULL = "null"
    ERROR = "error"
    """An error in every row."""
    UNKNOWN = "dyn"
    """Of what is only known with a request; no value has it."""


NUMBERS = frozenset({Kind.INT, Kind.DOUBLE})

_NOTHING = np.zeros(1, dtype=np.int64)
_ALL = np.ones(1, dtype=np.bool_)
for _shared in (_NOTHING, _ALL):
    _shared.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Value:
    """A column of one kind, whose arrays are [rows], or [1]: the same for all rows."""

    kind: Kind
    data: npt.NDArray[Any] = field(default_factory=lambda: _NOTHING)
    """BOOL bool, INT int64, DOUBLE float64, TEXT int32 codes into `table`, TIME and DURATION int64
    microseconds. Anything where there is an error."""
    error: Bools | None = None
    """Where it is an error; None: nowhere."""
    table: Sequence[str] = ()
    """Of TEXT: each text once."""
    elements: tuple["Value", ...] = ()
    """Of LIST, unless it is of a request."""
    plain: Sequence[Any] | None = None
    """Of LIST: as the request has it."""
    lists: TextLists | None = None
    """Of TEXTS."""
    members: Mapping[str, Any] | None = None
    """Of MAP."""

    def taken(self, rows: Ordinals) -> Self:
        """Return the values of some rows, in their order."""
        return replace(
            self,
            data=self.data if len(self.data) == 1 else self.data[rows],
            error=self.error if self.error is None or len(self.error) == 1 else self.error[rows],
            elements=tuple(element.taken(rows) for element in self.elements),
        )

    @property
    def is_one(self) -> bool:
        """Whether there is one value for all rows."""
        return len(self.data) == 1


FAILED = Value(Kind.ERROR, error=_ALL)


def bools(data: Bools, error: Bools | None = None) -> Value:
    """Return truth values."""
    return Value(Kind.BOOL, data, error)


def ints(data: Ordinals, error: Bools | None = None) -> Value:
    """Return whole numbers."""
    return Value(Kind.INT, data, error)


def doubles(data: Float64s, error: Bools | None = None) -> Value:
    """Return numbers."""
    return Value(Kind.DOUBLE, data, error)


def texts(codes: Int32s, table: Sequence[str], error: Bools | None = None) -> Value:
    """Return texts by code into `table`."""
    return Value(Kind.TEXT, codes, error, table)


def one_text(text: str) -> Value:
    """Return one text for all rows."""
    return texts(np.zeros(1, dtype=np.int32), (text,))


def times(us: Ordinals, error: Bools | None = None) -> Value:
    """Return times, in microseconds since 1970."""
    return Value(Kind.TIME, us, error)


def durations(us: Ordinals, error: Bools | None = None) -> Value:
    """Return durations, in microseconds."""
    return Value(Kind.DURATION, us, error)


def either(*errors: Bools | None) -> Bools | None:
    """Return where any is an error."""
    found: Bools | None = None
    for error in errors:
        if error is not None:
            found = error if found is None else found | error
    return found


def of_plain(value: object) -> Value:
    """Return a value of a request for all rows. What JSON does not know is an error."""
    match value:
        case None:
            return Value(Kind.NULL)
        case bool():
            return bools(np.array([value]))
        case int() if not -(2**63) <= value < 2**63:
            return FAILED
        case int():
            return ints(np.array([value], dtype=np.int64))
        case float():
            return doubles(np.array([value]))
        case str():
            return one_text(value)
        case Mapping():
            return Value(Kind.MAP, members=value)
        case Sequence() if not isinstance(value, bytes | bytearray):
            return Value(Kind.LIST, plain=value)
        case _:
            return FAILED


def list_of(elements: tuple[Value, ...]) -> Value:
    """Return a list; an error of an element is one of the list."""
    return Value(
        Kind.LIST, error=either(*(element.error for element in elements)), elements=elements
    )


def elements_of(value: Value) -> tuple[Value, ...]:
    """Return the elements of a list."""
    return value.elements if value.plain is None else tuple(map(of_plain, value.plain))


def texts_among(value: Value) -> list[str] | None:
    """Return the texts in a list; None: one of its elements is a column."""
    if value.plain is not None:
        return [one for one in value.plain if isinstance(one, str)]
    if not all(element.is_one for element in value.elements):
        return None
    found = (element for element in value.elements if element.kind is Kind.TEXT)
    # An element that is an error makes the whole list one, whatever stands here for it.
    return [element.table[element.data[0]] for element in found if element.data[0] >= 0]
