"""Rows into a file: CSV, JSON lines (both also gzipped) or Parquet, as its name says.

Texts are written as they are. Lists and maps are JSON: text in the cells of CSV, and of Parquet but
for lists. What is absent is an empty cell, null in JSON lines and Parquet. Numbers read back to the
same bits. A file is there when it is complete, and the same rows make the same bytes.
"""

import contextlib
import csv
import gzip
import importlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from services.cli.failures import CommandError

Cell = str | float | bool | Sequence[Any] | Mapping[str, Any] | None
Row = Sequence[Cell]

_EPOCH = datetime(1970, 1, 1)
_BATCH_ROWS = 10_000
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_NAMES = "its name must end in .csv, .jsonl, .csv.gz, .jsonl.gz or .parquet"


class Kind(Enum):
    """What the cells of a column are, when they are not None."""

    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"
    TIME = "time"
    """Unix microseconds in the years 1 to 9999; written as RFC 3339 with six digits, in UTC."""
    TEXTS = "texts"
    """A list of texts."""
    JSON = "json"
    """A map or list of what JSON has."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file."""

    name: str
    kind: Kind = Kind.TEXT


class TableWriter(ABC):
    """Takes the rows of one file, in order."""

    @abstractmethod
    def write(self, row: Row) -> None:
        """Write a row: a cell per column."""


@contextlib.contextmanager
def table_writer(path: Path, columns: Sequence[Column]) -> Iterator[TableWriter]:
    """Open a file for writing; it takes its name after the block, and not when the block fails.

    Raises:
        CommandError: the name says no format, or Parquet without pyarrow.
        OSError: the file cannot be written.

    """
    name = path.name.lower()
    packed = name.endswith(".gz")
    make = _FORMATS.get(Path(name.removesuffix(".gz")).suffix)
    if make is None or (packed and make is _parquet):
        raise CommandError(f"cannot tell the format of {path}: {_NAMES}")
    partial = path.with_name(f"{path.name}.partial")
    try:
        with contextlib.ExitStack() as stack:
            raw: BinaryIO = stack.enter_context(partial.open("wb"))
            if packed:
                # Without name and time: the same rows make the same bytes.
                raw = stack.enter_context(
                    gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6)  # type: ignore[assignment]
                )
            with make(raw, columns) as writer:
                yield writer
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _text_of(raw: BinaryIO) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()


@contextlib.contextmanager
def _csv(raw: BinaryIO, columns: Sequence[Column]) -> Iterator[TableWriter]:
    with _text_of(raw) as text:
        yield _CsvWriter(text, columns)


class _CsvWriter(TableWriter):
    """RFC 4180: rows end with CR LF, so that a lone CR or LF in a cell is quoted."""

    def __init__(self, text: io.TextIOWrapper, columns: Sequence[Column]) -> None:
        self._converters = _converters(columns, _IN_CSV)
        self._writer = csv.writer(text)
        self._writer.writerow([column.name for column in columns])

    def write(self, row: Row) -> None:
        self._writer.writerow(_converted(row, self._converters))


@contextlib.contextmanager
def _json_lines(raw: BinaryIO, columns: Sequence[Column]) -> Iterator[TableWriter]:
    with _text_of(raw) as text:
        yield _JsonWriter(text, columns)


class _JsonWriter(TableWriter):
    def __init__(self, text: io.TextIOWrapper, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._text = text

    def write(self, row: Row) -> None:
        self._text.write(f"{json_line(self._columns, row)}\n")


@contextlib.contextmanager
def _parquet(raw: BinaryIO, columns: Sequence[Column]) -> Iterator[TableWriter]:
    try:
        pa: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise CommandError(
            "Parquet needs pyarrow: pip install 'harken[eval]', or write CSV or JSON lines"
        ) from None
    types = {
        Kind.NUMBER: pa.float64(),
        Kind.TRUTH: pa.bool_(),
        Kind.TIME: pa.timestamp("us", "UTC"),
        Kind.TEXTS: pa.list_(pa.string()),
    }
    schema = pa.schema([(one.name, types.get(one.kind, pa.string())) for one in columns])
    with parquet.ParquetWriter(raw, schema, compression="zstd") as file:
        writer = _ParquetWriter(pa, schema, file, columns)
        yield writer
        writer.flush()


class _ParquetWriter(TableWriter):
    def __init__(self, pa: Any, schema: Any, file: Any, columns: Sequence[Column]) -> None:
        self._converters = _converters(columns, _IN_PARQUET)
        self._pa = pa
        self._schema = schema
        self._file = file
        self._cells: list[list[Cell]] = [[] for _ in columns]

    def write(self, row: Row) -> None:
        converted = _converted(row, self._converters)
        for cells, cell in zip(self._cells, converted, strict=True):
            cells.append(cell)
        if len(self._cells[0]) == _BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if not self._cells[0]:
            return
        arrays = [
            self._pa.array(cells, field.type)
            for cells, field in zip(self._cells, self._schema, strict=True)
        ]
        self._file.write_batch(self._pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._cells = [[] for _ in self._cells]


def json_line(columns: Sequence[Column], row: Row) -> str:
    """Return a row as one line of JSON lines, without its end."""
    cells = _converted(row, _converters(columns, _IN_JSON))
    return _json_text(dict(zip([column.name for column in columns], cells, strict=True)))


def _converters(
    columns: Sequence[Column], by_kind: Mapping[Kind, Callable[[Any], Cell]]
) -> Sequence[tuple[int, Callable[[Any], Cell]]]:
    """Return the places of cells that are not written as they are, each with what converts it."""
    return [
        (place, by_kind[column.kind])
        for place, column in enumerate(columns)
        if column.kind in by_kind
    ]


def _converted(row: Row, converters: Sequence[tuple[int, Callable[[Any], Cell]]]) -> list[Cell]:
    cells = list(row)
    for place, convert in converters:
        if cells[place] is not None:
            cells[place] = convert(cells[place])
    return cells


def _json_text(value: object) -> str:
    return _ENCODER.encode(value)


def _truth_text(cell: Any) -> str:
    return "true" if cell else "false"


def _time_text(cell: Any) -> str:
    moment = _EPOCH + timedelta(microseconds=cell)
    return f"{moment.isoformat(timespec='microseconds')}Z"


_FORMATS = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}

# By kind; other cells are written as they are, floats as their shortest exact text.
_IN_CSV: Mapping[Kind, Callable[[Any], Cell]] = MappingProxyType(
    {
        Kind.TRUTH: _truth_text,
        Kind.TIME: _time_text,
        Kind.TEXTS: _json_text,
        Kind.JSON: _json_text,
    }
)
_IN_JSON: Mapping[Kind, Callable[[Any], Cell]] = MappingProxyType({Kind.TIME: _time_text})
_IN_PARQUET: Mapping[Kind, Callable[[Any], Cell]] = MappingProxyType({Kind.JSON: _json_text})
