"""Expressions: checked when they are put, decided for all items at once."""

import numpy as np

from services.common.arrays import Bools, Float64s
from services.common.expressions import logic
from services.common.expressions.checked import check
from services.common.expressions.columns import ItemColumns
from services.common.expressions.compiler import compiled
from services.common.expressions.frame import Frame
from services.common.expressions.node import Node
from services.common.expressions.request import Request
from services.common.expressions.values import NUMBERS, Kind


class Expression:
    """One that was parsed and type-checked. Never changes; any thread may use it."""

    __slots__ = ("_node", "depends_on_request", "text")

    def __init__(self, text: str, node: Node) -> None:
        """Keep what `parse_condition` and its like made."""
        self._node = node
        self.text = text
        """As it was written."""
        self.depends_on_request = bool(node.reads & {"user", "context", "now"})
        """Whether it reads more than items; else a mask is good until the columns change."""

    def mask(self, columns: ItemColumns, request: Request) -> Bools:
        """Return for which items it is true, as [columns.size]; where it is an error it is not."""
        value = self._node.run(Frame(request, columns, columns.size))
        found = logic.certain(value, True)
        # One for all may be a literal's, which stays as it is.
        return np.repeat(found, columns.size) if len(found) == 1 else found

    def numbers(self, columns: ItemColumns, request: Request) -> tuple[Float64s, Bools]:
        """Return its number for each item [columns.size], and for which there is one.

        There is none where it is an error or NaN.
        """
        size = columns.size
        value = self._node.run(Frame(request, columns, size))
        if value.kind not in NUMBERS:
            return np.zeros(size), np.zeros(size, dtype=np.bool_)
        numbers = np.broadcast_to(value.data.astype(np.float64), (size,)).copy()
        present = ~np.isnan(numbers)
        if value.error is not None:
            present &= ~value.error
        return numbers, present

    def holds(self, request: Request) -> bool:
        """Return whether a condition is true; an error is no. It reads no items."""
        value = self._node.run(Frame(request))
        return bool(logic.certain(value, True)[0])


def parse_condition(text: str) -> Expression:
    """Return a condition: bool, of `user`, `context` and `now`.

    Raises:
        ExpressionError: it does not parse, is no condition, or asks for what is not supported.

    """
    return _parsed(text, with_item=False, kinds=frozenset({Kind.BOOL}))


def parse_filter(text: str) -> Expression:
    """Return what holds for some items: bool, of `item`, `user`, `context` and `now`.

    Raises:
        ExpressionError: it does not parse, is not bool, or asks for what is not supported.

    """
    return _parsed(text, with_item=True, kinds=frozenset({Kind.BOOL}))


def parse_number(text: str) -> Expression:
    """Return a number of each item: int or double, of `item`, `user`, `context` and `now`.

    Raises:
        ExpressionError: it does not parse, is no number, or asks for what is not supported.

    """
    return _parsed(text, with_item=True, kinds=NUMBERS)


def _parsed(text: str, *, with_item: bool, kinds: frozenset[Kind]) -> Expression:
    checked = check(text, with_item=with_item)
    node = compiled(checked)
    if node.kind not in kinds | {Kind.UNKNOWN}:
        wanted = " or ".join(sorted(kind.value for kind in kinds))
        raise checked.fault(checked.root, f"the expression is {node.kind.value}, not {wanted}")
    return Expression(text, node)
