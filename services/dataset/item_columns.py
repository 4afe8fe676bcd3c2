"""Which columns of a file hold what of an item, and the content that a row says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.content_features import Content
from services.dataset.cells import first_of, list_of, number_of, text_of
from services.dataset.columns import (
    NUMBER_COLUMNS,
    ColumnError,
    find_column,
    require_column,
)
from services.dataset.row_fault import RowFaultError
from services.dataset.table_file import Row


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """What the caller says about columns; None: find it by its name.

    `separator` parts categories and tags; " " means any white space.
    """

    item: str | None = None
    title: str | None = None
    description: str | None = None
    categories: str | None = None
    tags: str | None = None
    numbers: Sequence[str] | None = None
    separator: str = "|"


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Where the fields of items are; None: nowhere.

    `strict_numbers`: a cell that is no number is a fault, otherwise it is left out.
    """

    item: str
    title: str | None
    description: str | None
    categories: str | None
    tags: str | None
    available: str | None
    numbers: Sequence[str]
    strict_numbers: bool
    separator: str


def item_columns(columns: Sequence[str], options: ItemOptions) -> ItemColumns:
    """Return where the fields are.

    Raises:
        ColumnError: there is no column of ids, or a column given is not there.

    """
    wanted = [name.strip().lower() for name in options.numbers or NUMBER_COLUMNS]
    missing = [name for name in wanted if name not in columns]
    if options.numbers is not None and missing:
        raise ColumnError(f"there is no column {missing[0]!r}; the file has: {', '.join(columns)}")
    return ItemColumns(
        require_column("item", columns, options.item),
        find_column("title", columns, options.title),
        find_column("description", columns, options.description),
        find_column("categories", columns, options.categories),
        find_column("tags", columns, options.tags),
        find_column("available", columns),
        [name for name in wanted if name in columns],
        options.numbers is not None,
        options.separator,
    )


def content_of(row: Row, columns: ItemColumns) -> Content:
    """Return the content of the item that a row says.

    Raises:
        RowFaultError: a cell cannot be read.

    """
    cells = row.cells
    item_id = text_of(cells.get(columns.item))
    if not item_id:
        raise RowFaultError("MISSING_ITEM", "no item is given")
    return Content(
        item_id=item_id,
        title=text_of(first_of(cells, columns.title)),
        description=text_of(first_of(cells, columns.description)),
        categories=tuple(list_of(first_of(cells, columns.categories), columns.separator)),
        tags=tuple(list_of(first_of(cells, columns.tags), columns.separator)),
        numbers=_numbers(row, columns),
    )


def _numbers(row: Row, columns: ItemColumns) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for column in columns.numbers:
        try:
            number = number_of(row.cells.get(column), column)
        except RowFaultError:
            if columns.strict_numbers:
                raise
            continue
        if number is not None and (columns.strict_numbers or math.isfinite(number)):
            numbers[column] = number
    return numbers
