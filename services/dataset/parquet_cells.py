"""Columns of cells of Parquet files, a batch of a row group at a time. Needs the extra `eval`."""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.dataset.interner import Interner
from services.dataset.table_cells import Cells, PythonCells
from services.dataset.table_file import TableFileError, column_name

_Flags = npt.NDArray[np.bool_]
_SUFFIXES = frozenset({".parquet", ".pq"})


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, by its name."""
    return path.suffix.lower() in _SUFFIXES


def parquet_columns(path: Path) -> Sequence[str]:
    """Return the names of the columns, in lower case.

    Raises:
        TableFileError: there is no such file, it is damaged, or pyarrow is missing.

    """
    with _open(path) as file:
        return [column_name(name) for name in file.schema_arrow.names]


def parquet_cells(path: Path, columns: Sequence[str], rows: int) -> Iterator[Cells]:
    """Yield the cells of some columns, `rows` rows at a time.

    Raises:
        TableFileError: as parquet_columns.

    """
    arrow = _arrow("pyarrow")
    with _open(path) as file:
        named = {column_name(name): name for name in file.schema_arrow.names}
        wanted = [named[name] for name in columns]
        try:
            for batch in file.iter_batches(batch_size=rows, columns=wanted):
                yield _ArrowCells({c: batch.column(named[c]) for c in columns}, batch.num_rows)
        except (arrow.ArrowException, OSError) as error:
            raise TableFileError(f"{path}: {error}") from error


def parquet_row_count(path: Path) -> int:
    """Return how many rows there are.

    Raises:
        TableFileError: as parquet_columns.

    """
    with _open(path) as file:
        return int(file.metadata.num_rows)


def parquet_rows(path: Path, rows: int) -> Iterator[list[dict[str, object]]]:
    """Yield rows by lower-case column name, `rows` at a time, as Python objects.

    Times are rounded down to microseconds, which is what Python has.

    Raises:
        TableFileError: as parquet_columns.

    """
    arrow = _arrow("pyarrow")
    with _open(path) as file:
        names = [column_name(name) for name in file.schema_arrow.names]
        try:
            # One group after the other: asked for all at once, they are buffered ahead.
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                    columns = [_in_microseconds(one).to_pylist() for one in batch.columns]
                    yield [
                        dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)
                    ]
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise TableFileError(f"{path}: {error}") from error


def _in_microseconds(column: Any) -> Any:
    arrow = _arrow("pyarrow")
    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(arrow.timestamp("us", kind.tz), safe=False)
    return column


class _ArrowCells:
    """Cells as Arrow arrays; what Arrow cannot tell at once is told cell by cell."""

    def __init__(self, columns: dict[str, Any], rows: int) -> None:
        self._columns = columns
        self.rows = rows

    def texts(self, column: str, names: Interner, prefix: str = "") -> npt.NDArray[np.int64]:
        """See Cells."""
        array = self._columns[column]
        types = _arrow("pyarrow").types
        if not (types.is_string(array.type) or types.is_large_string(array.type)
                or types.is_integer(array.type)):  # fmt: skip
            return self._slow(column).texts(column, names, prefix)
        packed = array.dictionary_encode()
        distinct = PythonCells({column: packed.dictionary.to_pylist()}, len(packed.dictionary))
        codes = np.append(distinct.texts(column, names, prefix), -1)
        places: npt.NDArray[np.int64] = packed.indices.fill_null(len(codes) - 1).to_numpy()
        return codes[places]

    def times(self, column: str | None) -> tuple[npt.NDArray[np.int64], _Flags, _Flags]:
        """See Cells."""
        if column is None:
            return PythonCells({}, self.rows).times(None)
        arrow = _arrow("pyarrow")
        array = self._columns[column]
        if not (arrow.types.is_timestamp(array.type) or arrow.types.is_date(array.type)):
            return self._slow(column).times(column)
        micros = array.cast(arrow.timestamp("us", getattr(array.type, "tz", None)), safe=False)
        absent = micros.is_null().to_numpy(zero_copy_only=False)
        times = micros.cast(arrow.int64()).fill_null(0).to_numpy()
        return times, absent, np.zeros(self.rows, np.bool_)

    def numbers(self, column: str | None) -> tuple[npt.NDArray[np.float64], _Flags]:
        """See Cells."""
        if column is None:
            return PythonCells({}, self.rows).numbers(None)
        arrow = _arrow("pyarrow")
        array = self._columns[column]
        if not (arrow.types.is_integer(array.type) or arrow.types.is_floating(array.type)):
            return self._slow(column).numbers(column)
        numbers = array.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False)
        return numbers, np.zeros(self.rows, np.bool_)

    def _slow(self, column: str) -> PythonCells:
        return PythonCells({column: self._columns[column].to_pylist()}, self.rows)


def _open(path: Path) -> Any:
    arrow = _arrow("pyarrow")
    parquet = _arrow("pyarrow.parquet")
    if not path.is_file():
        raise TableFileError(f"there is no file {path}")
    try:
        return parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise TableFileError(f"{path}: {error}") from error


def _arrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise TableFileError(
            "reading Parquet needs pyarrow: pip install 'harken[eval]', or give CSV or JSON lines"
        ) from None
