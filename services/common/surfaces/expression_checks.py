"""Checks of expressions within configuration."""

from enum import Enum
from types import MappingProxyType

from services.common.expressions.error import ExpressionError
from services.common.expressions.expression import parse_condition, parse_filter, parse_number
from services.common.validation import Checks

MAX_EXPRESSION_BYTES = 2048


class Expected(Enum):
    """What an expression must be."""

    FILTER = "over items, bool"
    CONDITION = "without items, bool"
    NUMBER = "over items, a number"


def check_expression(checks: Checks, field: str, text: str, expected: Expected) -> None:
    """Check an expression: that it is there, its length, and what it says."""
    if not text:
        checks.fail(field, "is required")
    elif len(text.encode()) > MAX_EXPRESSION_BYTES:
        checks.fail(field, f"is longer than {MAX_EXPRESSION_BYTES:,} bytes")
    else:
        try:
            _PARSERS[expected](text)
        except ExpressionError as error:
            checks.fail(field, str(error))


_PARSERS = MappingProxyType(
    {
        Expected.FILTER: parse_filter,
        Expected.CONDITION: parse_condition,
        Expected.NUMBER: parse_number,
    }
)
