"""Where imported rows come from: a file, or a query on a PostgreSQL."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.cli.failures import CommandError
from services.cli.imports.query_rows import QueryRows
from services.dataset.parquet_cells import is_parquet
from services.dataset.parquet_file import ParquetFile
from services.dataset.table_file import Row, TableFile


class Rows(Protocol):
    """Rows that can be read from the beginning any number of times."""

    columns: Sequence[str]

    def fingerprint(self) -> str:
        """Return what tells this source from others."""

    def count_rows(self) -> int:
        """Return how many rows there are."""

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order."""


@dataclass(frozen=True, slots=True)
class RowSource:
    """Rows, and what they are called.

    `rejects_beside`: the file of rejected rows is made beside a file of that name. `resumable`: the
    rows come in the same order each time, so an import may go on in their middle. `grows`: more
    rows may come at the end.
    """

    rows: Rows
    name: str
    rejects_beside: Path
    resumable: bool = True
    grows: bool = False


@contextlib.contextmanager
def row_source(
    kind: str, file: Path | None, query: str | None, dsn: str | None, delimiter: str | None
) -> Iterator[RowSource]:
    """Open what the command line names: either a file, or a query and a DSN.

    Raises:
        CommandError: it names both or neither, or the query cannot be run.
        TableFileError: the file cannot be read.

    """
    if (file is None) == (query is None):
        raise CommandError("give either a file, or --query with --dsn")
    if file is not None:
        rows: Rows = ParquetFile(file) if is_parquet(file) else TableFile(file, delimiter)
        yield RowSource(rows, file.name, file)
        return
    if not dsn or query is None:
        raise CommandError("--query needs --dsn")
    with QueryRows(dsn, query) as found:
        name = f"{kind} of the query"
        yield RowSource(found, name, Path(f"{kind}.query"), found.is_ordered, grows=True)
