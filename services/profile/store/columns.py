"""Rows as arguments of a statement."""

from collections.abc import Sequence


def columns_of(number: int, rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Return the columns of rows, also when there is none."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(number)]
