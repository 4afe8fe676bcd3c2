"""Rows of CSV and JSON-lines files, plain or gzipped."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from services.dataset.row_fault import RowFault

_JSON_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})
_DELIMITERS = "\t;|,"


class TableFileError(Exception):
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `number` counts rows from 1, header and empty lines not included.

    `cells` are by lower-case column name, and text for CSV; empty when `fault` says why the row
    could not be read.
    """

    number: int
    cells: Mapping[str, object]
    fault: RowFault | None = None


def fingerprint_of(path: Path) -> str:
    """Return a hash of the content of a file as it lies on disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class TableFile:
    """One file, read from its beginning any number of times."""

    def __init__(self, path: Path, delimiter: str | None = None) -> None:
        """Read `path`: .jsonl, .ndjson or .json are JSON lines, all else CSV with a header.

        The delimiter of CSV is found in the header when it is not given.

        Raises:
            TableFileError: there is no such file, or it has no header.

        """
        self.path = path
        suffixes = [suffix.lower() for suffix in path.suffixes]
        self._gzipped = suffixes[-1:] == [".gz"]
        self._json = bool(_JSON_SUFFIXES.intersection(suffixes[-2:]))
        if not path.is_file():
            raise TableFileError(f"there is no file {path}")
        self._delimiter = delimiter
        self.columns: Sequence[str] = self._first_columns()

    def fingerprint(self) -> str:
        """Return a hash of the content of the file as it lies on disk."""
        return fingerprint_of(self.path)

    def count_rows(self) -> int:
        """Return how many rows there are, unreadable ones included.

        Raises:
            TableFileError: the file is damaged.

        """
        return sum(1 for _ in self.rows())

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order.

        Raises:
            TableFileError: the file is damaged.

        """
        try:
            with self.open_text() as text:
                yield from self._json_rows(text) if self._json else self._csv_rows(text)
        except (OSError, EOFError, csv.Error, gzip.BadGzipFile) as error:
            raise TableFileError(f"{self.path}: {error}") from error

    @property
    def is_json(self) -> bool:
        """Whether the lines are JSON objects."""
        return self._json

    @property
    def delimiter(self) -> str:
        """What separates the cells of CSV."""
        return self._delimiter or ","

    def open_text(self) -> TextIO:
        """Open the file for reading lines; bytes that are no UTF-8 come as surrogates."""
        opened = gzip.GzipFile(self.path) if self._gzipped else self.path.open("rb")
        binary = cast("BinaryIO", opened)
        # Bytes that are no UTF-8 are found row by row, not lost and not fatal.
        return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _first_columns(self) -> Sequence[str]:
        if self._json:
            return next((list(row.cells) for row in self.rows() if row.fault is None), [])
        try:
            with self.open_text() as text:
                header = text.readline()
        except (OSError, EOFError) as error:
            raise TableFileError(f"{self.path}: {error}") from error
        if not header.strip():
            raise TableFileError(f"{self.path}: the first line must name the columns")
        if self._delimiter is None:
            self._delimiter = max(_DELIMITERS, key=header.count)
        return [column_name(name) for name in next(csv.reader([header], delimiter=self._delimiter))]

    def _csv_rows(self, text: TextIO) -> Iterator[Row]:
        reader = csv.reader(text, delimiter=self._delimiter or ",")
        next(reader, None)
        number = 0
        width = len(self.columns)
        for cells in reader:
            if not cells:
                continue
            number += 1
            named = dict(zip(self.columns, cells, strict=False))
            if len(cells) != width:
                what = f"the header has {width} columns, the row {len(cells)}"
                yield Row(number, named, RowFault("WRONG_NUMBER_OF_CELLS", what))
            else:
                yield Row(number, named, _encoding_fault(cells))

    def _json_rows(self, text: TextIO) -> Iterator[Row]:
        number = 0
        for line in text:
            if not line.strip():
                continue
            number += 1
            try:
                value: Any = json.loads(line)
            except json.JSONDecodeError as error:
                yield Row(number, {"line": line.strip()}, RowFault("INVALID_JSON", str(error)))
                continue
            if not isinstance(value, dict):
                fault = RowFault("INVALID_JSON", "the line is no JSON object")
                yield Row(number, {"line": line.strip()}, fault)
                continue
            cells = {column_name(name): cell for name, cell in value.items()}
            yield Row(number, cells, _encoding_fault([line]))


def column_name(name: str) -> str:
    """Return a column's name as we compare it; RecBole writes "user_id:token"."""
    return name.strip().lower().partition(":")[0]


def _encoding_fault(texts: Sequence[str]) -> RowFault | None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            return RowFault("INVALID_UTF8", "the row holds bytes that are no UTF-8")
    return None
