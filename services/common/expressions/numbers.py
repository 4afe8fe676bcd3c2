"""Numbers: arithmetic that overflows into errors, and order over one number line."""

from collections.abc import Callable

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals
from services.common.expressions.values import FAILED, Kind, Value, doubles, either, ints

_LEAST = -(2**63)
_MOST = 2**63 - 1
_EXACT = 2**53
"""Whole numbers up to here are doubles, too."""

Test = Callable[..., Bools]
"""A comparison of NumPy: `np.less` and the like."""


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Return `left operator right` of two ints or two doubles, for one of + - * / %."""
    error = either(left.error, right.error)
    with np.errstate(all="ignore"):
        if left.kind is right.kind is Kind.DOUBLE and operator in _OF_DOUBLES:
            return doubles(_OF_DOUBLES[operator](left.data, right.data), error)
        if left.kind is right.kind is Kind.INT:
            data, overflow = _OF_INTS[operator](left.data, right.data)
            return ints(data, either(error, overflow))
    return FAILED


def negated(value: Value) -> Value:
    """Return `-value`."""
    match value.kind:
        case Kind.DOUBLE:
            return doubles(-value.data, value.error)
        case Kind.INT:
            with np.errstate(over="ignore"):
                return ints(-value.data, either(value.error, value.data == _LEAST))
        case _:
            return FAILED


def compared(test: Test, left: Value, right: Value) -> Bools:
    """Return a comparison of two numbers, exact also between ints and doubles."""
    if left.kind is right.kind:
        return test(left.data, right.data)
    if left.kind is Kind.INT:
        return _compared_mixed(test, left.data, right.data, 1)
    return _compared_mixed(test, right.data, left.data, -1)


def to_int(value: Value) -> Value:
    """Return `int(value)` of a number: towards zero, an error out of range."""
    if value.kind is Kind.INT:
        return value
    # Both ends are out: the specification leaves them to nobody's rounding.
    inside = (value.data > float(_LEAST)) & (value.data < float(_MOST))
    whole = np.where(inside, value.data, 0.0).astype(np.int64)
    return ints(whole, either(value.error, ~inside))


def to_double(value: Value) -> Value:
    """Return `double(value)` of a number: the nearest."""
    return value if value.kind is Kind.DOUBLE else doubles(value.data.astype(float), value.error)


def _compared_mixed(test: Test, whole: Ordinals, double: Float64s, sign: int) -> Bools:
    """Compare a whole number with a double; `sign` -1: the other way round."""
    if bool(((whole >= -_EXACT) & (whole <= _EXACT)).all()):
        near = whole.astype(np.float64)
        return test(near, double) if sign > 0 else test(double, near)
    floor = np.floor(double)
    inside = (floor >= float(_LEAST)) & (floor < -float(_LEAST))
    floored = np.where(inside, floor, 0.0).astype(np.int64)
    part = -(double > floor).astype(np.int64)
    within = np.where(whole > floored, 1, np.where(whole < floored, -1, part))
    order = np.where(inside, within, np.where(double > 0, -1, 1))
    unordered = np.isnan(double)
    return np.where(unordered, test is np.not_equal, test(sign * order, 0))


def _added(left: Ordinals, right: Ordinals) -> tuple[Ordinals, Bools]:
    total = left + right
    return total, ((left ^ total) & (right ^ total)) < 0


def _subtracted(left: Ordinals, right: Ordinals) -> tuple[Ordinals, Bools]:
    rest = left - right
    return rest, ((left ^ right) & (left ^ rest)) < 0


def _multiplied(left: Ordinals, right: Ordinals) -> tuple[Ordinals, Bools]:
    product = left * right
    divisor = np.where(right == 0, 1, right)
    # The least number over -1 overflows, too, into what looks right.
    wrong = (product // divisor != left) | ((left == _LEAST) & (right == -1))
    return product, wrong & (right != 0)


def _divided(left: Ordinals, right: Ordinals) -> tuple[Ordinals, Bools]:
    wrong = (right == 0) | ((left == _LEAST) & (right == -1))
    divisor = np.where(wrong, 1, right)
    floor = left // divisor
    # NumPy rounds down, CEL towards zero.
    return floor + ((floor < 0) & (floor * divisor != left)), wrong


def _remainder(left: Ordinals, right: Ordinals) -> tuple[Ordinals, Bools]:
    wrong = (right == 0) | ((left == _LEAST) & (right == -1))
    return np.fmod(left, np.where(wrong, 1, right)), wrong


_OF_DOUBLES: dict[str, Callable[..., Float64s]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}
_OF_INTS: dict[str, Callable[[Ordinals, Ordinals], tuple[Ordinals, Bools]]] = {
    "+": _added,
    "-": _subtracted,
    "*": _multiplied,
    "/": _divided,
    "%": _remainder,
}
