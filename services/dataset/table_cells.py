"""Columns of cells of CSV and JSON lines, read many rows at once."""

import csv
import gzip
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.dataset.cells import microseconds_of, number_of, text_of
from services.dataset.interner import Interner
from services.dataset.row_fault import RowFaultError
from services.dataset.table_file import TableFile, TableFileError, column_name

_Flags = npt.NDArray[np.bool_]
_BAD = "\ud800"
"""Stands for a cell that is no text: it is no UTF-8 either."""


class Cells(Protocol):
    """Some consecutive rows, by column."""

    rows: int

    def texts(self, column: str, names: Interner, prefix: str = "") -> npt.NDArray[np.int64]:
        """Return codes [rows] of the texts: -1 where empty, -2 where they are no text."""

    def times(self, column: str | None) -> tuple[npt.NDArray[np.int64], _Flags, _Flags]:
        """Return unix microseconds [rows], where there is no time, and where it is none."""

    def numbers(self, column: str | None) -> tuple[npt.NDArray[np.float64], _Flags]:
        """Return numbers [rows], NaN where empty, and where a cell is no number."""


class PythonCells:
    """Cells as Python objects."""

    def __init__(self, columns: Mapping[str, Sequence[object]], rows: int) -> None:
        self._columns = columns
        self.rows = rows

    def texts(self, column: str, names: Interner, prefix: str = "") -> npt.NDArray[np.int64]:
        """See Cells."""
        texts = _texts(self._columns[column])
        return names.codes([prefix + text if text else text for text in texts] if prefix else texts)

    def times(self, column: str | None) -> tuple[npt.NDArray[np.int64], _Flags, _Flags]:
        """See Cells."""
        times = np.zeros(self.rows, np.int64)
        absent = np.full(self.rows, column is None)
        wrong = np.zeros(self.rows, np.bool_)
        if column is None:
            return times, absent, wrong
        cells = self._columns[column]
        fast = _fast_times(cells)
        if fast is not None:
            return fast, absent, wrong
        for row, cell in enumerate(cells):
            try:
                time_us = microseconds_of(cell)
            except RowFaultError:
                wrong[row] = True
                continue
            if time_us is None:
                absent[row] = True
            else:
                times[row] = time_us
        return times, absent, wrong

    def numbers(self, column: str | None) -> tuple[npt.NDArray[np.float64], _Flags]:
        """See Cells."""
        numbers = np.full(self.rows, np.nan)
        wrong = np.zeros(self.rows, np.bool_)
        if column is None:
            return numbers, wrong
        cells = self._columns[column]
        fast = _fast_floats(cells)
        if fast is not None:
            return fast, wrong
        for row, cell in enumerate(cells):
            try:
                number = number_of(cell, column)
            except RowFaultError:
                wrong[row] = True
                continue
            if number is not None:
                numbers[row] = number
        return numbers, wrong


def table_cells(
    table: TableFile, columns: Sequence[str], rows: int, rejected: Counter[str]
) -> Iterator[Cells]:
    """Yield the cells of some columns, `rows` rows at a time; unreadable rows are counted.

    Raises:
        TableFileError: the file is damaged.

    """
    try:
        with table.open_text() as text:
            if table.is_json:
                yield from _json_cells(text, columns, rows, rejected)
            else:
                reader = csv.reader(text, delimiter=table.delimiter)
                next(reader, None)
                yield from _csv_cells(reader, table.columns, columns, rows, rejected)
    except (OSError, EOFError, csv.Error, gzip.BadGzipFile) as error:
        raise TableFileError(f"{table.path}: {error}") from error


def _csv_cells(
    reader: Iterator[list[str]],
    header: Sequence[str],
    columns: Sequence[str],
    rows: int,
    rejected: Counter[str],
) -> Iterator[Cells]:
    width = len(header)
    places = [list(header).index(name) for name in columns]
    while batch := list(itertools.islice(reader, rows)):
        good = [cells for cells in batch if len(cells) == width]
        torn = sum(1 for cells in batch if cells) - len(good)
        if torn:
            rejected["WRONG_NUMBER_OF_CELLS"] += torn
        found = {
            name: list(map(itemgetter(place), good))
            for name, place in zip(columns, places, strict=True)
        }
        yield PythonCells(found, len(good))


def _json_cells(
    lines: Iterator[str], columns: Sequence[str], rows: int, rejected: Counter[str]
) -> Iterator[Cells]:
    wanted = set(columns)
    # Which column a key means, None for those not wanted.
    meant: dict[str, str | None] = {}
    while batch := list(itertools.islice(lines, rows)):
        found: dict[str, list[object]] = {name: [] for name in columns}
        count = 0
        for line in batch:
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                value = None
            if not isinstance(value, dict):
                rejected["INVALID_JSON"] += 1
                continue
            for key, cell in value.items():
                if key not in meant:
                    name = column_name(key)
                    meant[key] = name if name in wanted else None
                column = meant[key]
                if column is not None and len(found[column]) == count:
                    found[column].append(cell)
            count += 1
            for cells in found.values():
                if len(cells) < count:
                    cells.append(None)
        yield PythonCells(found, count)


def _texts(cells: Sequence[object]) -> list[str]:
    if all(type(cell) is str for cell in cells):
        return list(map(str.strip, cells))  # type: ignore[arg-type]
    texts: list[str] = []
    for cell in cells:
        if isinstance(cell, str):
            texts.append(cell.strip())
            continue
        try:
            texts.append(text_of(cell))
        except RowFaultError:
            texts.append(_BAD)
    return texts


def _fast_floats(cells: Sequence[object]) -> npt.NDArray[np.float64] | None:
    """Return cells as numbers, NaN where empty; None unless all others are written as numbers."""
    kinds = set(map(type, cells))
    if not kinds <= {str, int, float, type(None)}:
        return None
    if str in kinds or type(None) in kinds:
        cells = [math.nan if cell in ("", None) else cell for cell in cells]
    try:
        # float() of the cells themselves: exactly what is taken one by one.
        return np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None


def _fast_times(cells: Sequence[object]) -> npt.NDArray[np.int64] | None:
    """Return whole unix times as microseconds, None unless all cells are such."""
    numbers = _fast_floats(cells)
    if numbers is None or not np.isfinite(numbers).all():
        return None
    # A float holds whole numbers below 2^53 exactly; fractions are left to the careful way.
    if (numbers != np.rint(numbers)).any() or (np.abs(numbers) >= 2**53).any():
        return None
    size = np.abs(numbers)
    per_unit = np.where(size >= 1e14, 1, np.where(size >= 1e11, 1_000, 10**6))
    if (size * per_unit > 253_402_300_799e6).any():
        return None
    return numbers.astype(np.int64) * per_unit
