"""Equality, order and membership."""

from collections.abc import Mapping

import numpy as np

from services.common.arrays import Bools
from services.common.expressions import numbers, texts
from services.common.expressions.values import (
    FAILED,
    NUMBERS,
    Kind,
    Value,
    bools,
    either,
    elements_of,
    of_plain,
    texts_among,
)

_NO = np.zeros(1, dtype=np.bool_)
_NO.flags.writeable = False

_ORDERS: dict[str, numbers.Test] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def equal(left: Value, right: Value) -> Value:
    """Return `left == right`: values of different kinds, numbers aside, are not equal."""
    if Kind.ERROR in (left.kind, right.kind):
        return FAILED
    return bools(_equal(left, right), either(left.error, right.error))


def ordered(operator: str, left: Value, right: Value) -> Value:
    """Return `left operator right` for one of < <= > >=; an error for different kinds."""
    error = either(left.error, right.error)
    if left.kind in NUMBERS and right.kind in NUMBERS:
        return bools(numbers.compared(_ORDERS[operator], left, right), error)
    if left.kind is not right.kind or left.kind not in _ORDERED:
        return FAILED
    if left.kind is Kind.TEXT:
        return bools(texts.tested(texts.FUNCTIONS[operator], left, right), error)
    return bools(_ORDERS[operator](left.data, right.data), error)


def member(value: Value, of: Value) -> Value:
    """Return `value in of`, of a list or map that is not a list of the item."""
    if Kind.ERROR in (value.kind, of.kind):
        return FAILED
    error = either(value.error, of.error)
    if of.kind is Kind.MAP and of.members is not None:
        found = texts.among(value, list(of.members)) if value.kind is Kind.TEXT else _NO
        return bools(found, error)
    if of.kind is not Kind.LIST:
        return FAILED
    if value.kind is Kind.TEXT and (wanted := texts_among(of)) is not None:
        return bools(texts.among(value, wanted), error)
    found = _NO
    for element in elements_of(of):
        found = found | _equal(value, element)
    return bools(found, error)


_ORDERED = frozenset({Kind.BOOL, Kind.TEXT, Kind.TIME, Kind.DURATION})


def _equal(left: Value, right: Value) -> Bools:
    if left.kind in NUMBERS and right.kind in NUMBERS:
        return numbers.compared(np.equal, left, right)
    if left.kind is not right.kind:
        return _NO
    match left.kind:
        case Kind.TEXT:
            return texts.same(left, right)
        case Kind.NULL:
            return ~_NO
        case Kind.LIST:
            return _equal_lists(left, right)
        case Kind.MAP:
            return _equal_maps(left.members or {}, right.members or {})
    same: Bools = left.data == right.data
    return same


def _equal_lists(left: Value, right: Value) -> Bools:
    ours, theirs = elements_of(left), elements_of(right)
    if len(ours) != len(theirs):
        return _NO
    found = ~_NO
    for one, other in zip(ours, theirs, strict=True):
        found = found & _equal(one, other)
    return found


def _equal_maps(left: Mapping[str, object], right: Mapping[str, object]) -> Bools:
    found = np.array([left.keys() == right.keys()])
    if found[0]:
        for key, value in left.items():
            found = found & _equal(of_plain(value), of_plain(right[key]))
    return found
