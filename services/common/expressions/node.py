"""A part of a compiled expression."""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.expressions.frame import Frame
from services.common.expressions.values import Kind, Value

Run = Callable[[Frame], Value]


@dataclass(frozen=True, slots=True)
class Node:
    """How to get a value, and what is known of it before there is a request."""

    kind: Kind
    """UNKNOWN where it depends on the request; then the value is one for all rows."""
    run: Run
    reads: frozenset[str] = frozenset()
    """What it depends on: "item", "user", "context", "now", and elements of macros."""
    by_row: bool = False
    """Whether it may differ from item to item."""
    cost: int = 1
    """As `limits.MAX_COST` counts."""
    text: str | None = None
    """What it says, where it is a literal text."""
    length: int | None = None
    """How many elements it has, where it is a literal list."""
    element: Kind = Kind.UNKNOWN
    """Of what kind all elements are, where it is such a list."""
