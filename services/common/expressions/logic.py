"""Truth values: an error of one side yields to a truth of the other that decides."""

import numpy as np

from services.common.arrays import Bools
from services.common.expressions import texts
from services.common.expressions.values import FAILED, Kind, Value, bools, either


def negated(value: Value) -> Value:
    """Return `!value`."""
    return bools(~value.data, value.error) if value.kind is Kind.BOOL else FAILED


def any_of(left: Value, right: Value) -> Value:
    """Return `left || right`."""
    return _decided(left, right, decides=True)


def all_of(left: Value, right: Value) -> Value:
    """Return `left && right`."""
    return _decided(left, right, decides=False)


def certain(value: Value, wanted: bool) -> Bools:
    """Return where a value is `wanted`, and no error."""
    if value.kind is not Kind.BOOL:
        return np.zeros(1, dtype=np.bool_)
    found: Bools = value.data if wanted else ~value.data
    return found if value.error is None else found & ~value.error


def error_of(value: Value) -> Bools | None:
    """Return where a value is an error, or no truth value."""
    return value.error if value.kind is Kind.BOOL else FAILED.error


def chosen(condition: Value, left: Value, right: Value) -> Value:
    """Return `condition ? left : right`; of one kind, unless the condition is one for all rows."""
    if condition.kind is not Kind.BOOL:
        return FAILED
    if condition.is_one:
        if condition.error is not None and condition.error[0]:
            return FAILED
        return left if condition.data[0] else right
    choice: Bools = condition.data
    error = condition.error
    if left.error is not None or right.error is not None:
        no = np.zeros(1, dtype=np.bool_)
        error = either(
            error,
            np.where(
                choice,
                no if left.error is None else left.error,
                no if right.error is None else right.error,
            ),
        )
    if left.kind is Kind.ERROR or right.kind is Kind.ERROR:
        # All rows of one side are errors: of the other the kind is taken.
        value = right if left.kind is Kind.ERROR else left
        return Value(value.kind, value.data, error, value.table)
    if left.kind is not right.kind:
        return FAILED
    if left.kind is Kind.TEXT:
        merged = texts.merged(choice, left, right)
        return Value(Kind.TEXT, merged.data, error, merged.table)
    return Value(left.kind, np.where(choice, left.data, right.data), error)


def _decided(left: Value, right: Value, *, decides: bool) -> Value:
    found = certain(left, decides) | certain(right, decides)
    error = either(error_of(left), error_of(right))
    return bools(found if decides else ~found, None if error is None else error & ~found)
