"""Items of a file, by id."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from services.common.content_features import Content
from services.dataset.item_columns import ItemOptions, content_of, item_columns
from services.dataset.row_fault import RowFaultError
from services.dataset.table_file import TableFile


def read_items(
    path: Path,
    options: ItemOptions | None = None,
    progress: Callable[[int], None] = lambda _: None,
    rejected: Counter[str] | None = None,
) -> dict[str, Content]:
    """Return the content of all items of a file (CSV or JSON lines, also gzipped).

    Of several rows of one item the last one counts. Rows that cannot be read are left out, and
    counted by reason in `rejected`. `progress` hears how many rows are read.

    Raises:
        ColumnError: there is no column of ids, or a column given is not there.
        TableFileError: there is no such file, or it is damaged.

    """
    table = TableFile(path)
    columns = item_columns(table.columns, options or ItemOptions())
    items: dict[str, Content] = {}
    rows = 0
    for row in table.rows():
        rows = row.number
        if rows % 10_000 == 0:
            progress(rows)
        fault = row.fault
        if fault is None:
            try:
                content = content_of(row, columns)
            except RowFaultError as error:
                fault = error.fault
            else:
                items[content.item_id] = content
        if fault is not None and rejected is not None:
            rejected[fault.reason] += 1
    progress(rows)
    return items
