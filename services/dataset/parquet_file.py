"""Rows of Parquet files, read by row groups: memory is bounded by a batch. Needs pyarrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from services.dataset.parquet_cells import parquet_columns, parquet_row_count, parquet_rows
from services.dataset.table_file import Row, fingerprint_of
from services.dataset.typed_cells import plain_cell

_BATCH_ROWS = 2_000


class ParquetFile:
    """One file, read from its beginning any number of times."""

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            TableFileError: there is no such file, it is damaged, or pyarrow is missing.

        """
        self.path = path
        self.columns: Sequence[str] = parquet_columns(path)

    def fingerprint(self) -> str:
        """Return a hash of the content of the file as it lies on disk."""
        return fingerprint_of(self.path)

    def count_rows(self) -> int:
        """Return how many rows there are, as the file's footer says.

        Raises:
            TableFileError: the file is damaged.

        """
        return parquet_row_count(self.path)

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order.

        Raises:
            TableFileError: the file is damaged.

        """
        number = 0
        for batch in parquet_rows(self.path, _BATCH_ROWS):
            for cells in batch:
                number += 1
                yield Row(number, {name: plain_cell(cell) for name, cell in cells.items()})
