"""Checks of expressions within configuration."""

from collections.abc import Callable
from enum import Enum

from services.common.expressions.error import ExpressionError
from services.common.expressions.expression import (
    Expression,
    parse_condition,
    parse_filter,
    parse_number,
)
from services.common.expressions.limits import MAX_BYTES
from services.common.validation import Checks


class Expected(Enum):
    """What an expression must be."""

    FILTER = "over items, bool"
    CONDITION = "without items, bool"
    NUMBER = "over items, a number"


def check_expression(checks: Checks, field: str, text: str, expected: Expected) -> None:
    """Check an expression: that it is there, its length, and what it says. Of what does not parse
    the line and the column are named.
    """
    if not text:
        checks.fail(field, "is required")
    elif len(text.encode()) > MAX_BYTES:
        checks.fail(field, f"is longer than {MAX_BYTES:,} bytes")
    else:
        try:
            _parser(expected)(text)
        except ExpressionError as error:
            checks.fail(field, str(error))


def _parser(expected: Expected) -> Callable[[str], Expression]:
    match expected:
        case Expected.FILTER:
            return parse_filter
        case Expected.CONDITION:
            return parse_condition
        case Expected.NUMBER:
            return parse_number
