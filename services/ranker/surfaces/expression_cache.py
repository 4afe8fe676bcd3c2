"""Expressions of requests, each parsed once."""

from collections import OrderedDict

from services.common.expressions.error import ExpressionError
from services.common.expressions.expression import Expression, parse_filter
from services.common.expressions.limits import MAX_BYTES
from services.common.validation import Checks

_MOST = 1000


class ExpressionCache:
    """Keeps the filters that were asked for lately, wrong ones too."""

    def __init__(self, most: int = _MOST) -> None:
        """Keep up to `most`; the longest unused goes first."""
        self._most = most
        self._kept: OrderedDict[str, Expression | ExpressionError] = OrderedDict()

    def filter(self, checks: Checks, field: str, text: str) -> Expression | None:
        """Return a filter over items; None where there is none, or it is a fault."""
        if not text:
            return None
        if len(text.encode()) > MAX_BYTES:
            checks.fail(field, f"is longer than {MAX_BYTES:,} bytes")
            return None
        kept = self._kept.get(text)
        if kept is None:
            kept = self._kept[text] = _parsed(text)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(text)
        if isinstance(kept, ExpressionError):
            checks.fail(field, str(kept))
            return None
        return kept


def _parsed(text: str) -> Expression | ExpressionError:
    try:
        return parse_filter(text)
    except ExpressionError as error:
        return error
