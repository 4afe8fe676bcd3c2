"""Rows as items of the catalogue."""

from harken.feedback.v1 import item_pb2
from services.dataset.cells import first_of, text_of
from services.dataset.item_columns import ItemColumns, content_of
from services.dataset.row_fault import RowFaultError
from services.dataset.table_file import Row

_TRUE = frozenset({"1", "true", "yes", "t", "y"})
_FALSE = frozenset({"0", "false", "no", "f", "n"})


def item_of(row: Row, columns: ItemColumns) -> item_pb2.Item:
    """Return the item that a row says.

    Raises:
        RowFaultError: a cell cannot be read.

    """
    content = content_of(row, columns)
    item = item_pb2.Item(
        item_id=content.item_id,
        title=content.title,
        description=content.description,
        categories=content.categories,
        tags=content.tags,
        numbers=content.numbers,
    )
    available = truth_of(first_of(row.cells, columns.available))
    if available is not None:
        item.available = available
    return item


def truth_of(cell: object) -> bool | None:
    """Return a cell as true or false, None when it is empty.

    Raises:
        RowFaultError: it is neither.

    """
    if isinstance(cell, bool):
        return cell
    text = text_of(cell).lower()
    if not text:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise RowFaultError("INVALID_VALUE", f"{text!r} is neither true nor false")
