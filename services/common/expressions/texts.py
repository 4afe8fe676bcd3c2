"""Texts: decided once for each distinct text, then taken by code."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from services.common.arrays import Bools, Int32s
from services.common.expressions.values import Value

Pair = Callable[[str, str], bool]

FUNCTIONS: dict[str, Pair] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
    "<": str.__lt__,
    "<=": str.__le__,
    ">": str.__gt__,
    ">=": str.__ge__,
}
"""Of two texts. Python's order of texts is by code point, as CEL's."""


def code_of(table: Sequence[str], text: str) -> int:
    """Return the code of a text, or -2, which no item has."""
    try:
        return table.index(text)
    except ValueError:
        return -2


def same(left: Value, right: Value) -> Bools:
    """Return where two texts are the same."""
    found: Bools
    if right.is_one:
        found = left.data == code_of(left.table, _only(right))
    elif left.is_one:
        found = right.data == code_of(right.table, _only(left))
    elif left.table is right.table:
        found = left.data == right.data
    else:
        found = left.data == _translated(right.table, left.table)[right.data]
    return found


def tested(test: Pair, left: Value, right: Value) -> Bools:
    """Return `test` of two texts."""
    if right.is_one:
        other = _only(right)
        return _looked_up(left, [test(text, other) for text in left.table])
    if left.is_one:
        other = _only(left)
        return _looked_up(right, [test(other, text) for text in right.table])
    if not left.table or not right.table:
        return np.zeros(1, dtype=np.bool_)
    # Codes of what is absent are below 0; any pair will do there.
    pairs = left.data.clip(0).astype(np.int64) * len(right.table) + right.data.clip(0)
    distinct, place = np.unique(pairs, return_inverse=True)
    firsts, seconds = np.divmod(distinct, len(right.table))
    found = [
        test(left.table[first], right.table[second])
        for first, second in zip(firsts.tolist(), seconds.tolist(), strict=True)
    ]
    return np.array(found, dtype=np.bool_)[place]


def among(value: Value, wanted: Sequence[str]) -> Bools:
    """Return where a text is one of `wanted`."""
    if value.is_one:
        return np.array([_only(value) in wanted])
    codes = {code_of(value.table, text) for text in wanted}
    chosen = np.zeros(len(value.table) + 1, dtype=np.bool_)
    chosen[[code for code in codes if code >= 0]] = True
    found: Bools = chosen.take(value.data, mode="wrap")
    return found


def lengths(value: Value) -> npt.NDArray[np.int64]:
    """Return how many characters (code points) the texts have."""
    sizes = np.fromiter(map(len, value.table), dtype=np.int64, count=len(value.table))
    found: npt.NDArray[np.int64] = np.append(sizes, 0).take(value.data, mode="wrap")
    return found


def _looked_up(value: Value, found: list[bool]) -> Bools:
    """Return, row by row, what was `found` for each text of the table."""
    # Code -1 reads the last: that of what is absent.
    taken: Bools = np.array([*found, False]).take(value.data, mode="wrap")
    return taken


def only(value: Value) -> str | None:
    """Return a text that is the same for all rows, or None where it is an error."""
    return None if value.error is not None and bool(value.error.all()) else _only(value)


def _only(value: Value) -> str:
    place = int(value.data[0])
    return value.table[place] if place >= 0 else ""


def _translated(table: Sequence[str], into: Sequence[str]) -> Int32s:
    """Return the code in `into` of each text of `table`, -2 for none, and for code -1."""
    codes = {text: code for code, text in enumerate(into)}
    return np.array([codes.get(text, -2) for text in table] + [-2], dtype=np.int32)


def merged(choice: Bools, left: Value, right: Value) -> Value:
    """Return `left` where `choice` is true, else `right`."""
    table = list(left.table)
    codes = {text: code for code, text in enumerate(table)}
    for text in right.table:
        if text not in codes:
            codes[text] = len(table)
            table.append(text)
    moved = np.array([codes[text] for text in right.table] + [-1], dtype=np.int32)[right.data]
    return Value(left.kind, np.where(choice, left.data, moved), table=table)
