"""Delimited text: CSV, TSV and their kin, as blocks of columns; every line is accounted for.

Lines without quotation marks are split, blocks with sound ones are read by the csv module of
Python; where its strict reading fails, lines are looked at one by one.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.dataset.faults import FaultyRow, RowFault, SourceError, shown
from services.dataset.source.encodings import Encoding, encoding_of, guess_of
from services.dataset.source.packing import DAMAGED
from services.dataset.source.parts import Part, parts_of
from services.dataset.table.block import Block, Notes
from services.dataset.table.names import column_name, twice_in
from services.dataset.table.options import Quoting, ReadOptions

_DELIMITERS = ("::", "\t", ";", "|", ",", "\x01")
_CHUNK_CHARACTERS = 1 << 20
_LONGEST_LINE = 1 << 26
_LONGEST_RECORD_LINES = 2_000
_SAMPLE_BYTES = 1 << 16
_COMMON_NAMES = 3


@dataclass(frozen=True, slots=True)
class _Dialect:
    encoding: Encoding
    delimiter: str
    quoted: bool
    returns_only: bool
    names: Sequence[str]
    has_header: bool


class DelimitedPart:
    """One delimited file, read from its beginning any number of times."""

    def __init__(
        self,
        part: Part,
        options: ReadOptions,
        notes: Notes,
        chunk_characters: int = _CHUNK_CHARACTERS,
    ) -> None:
        """Find out how the file is written. It is read `chunk_characters` at a time.

        Raises:
            SourceError: it is damaged, empty, or not text.

        """
        self._part = part
        self._options = options
        self._notes = notes
        self._chunk_characters = chunk_characters
        self._dialect = self._found()
        self.columns = [column_name(name) for name in self._dialect.names]
        self.twice = twice_in(self.columns)
        if self._dialect.encoding.note:
            notes.say(f"{part.name}: {self._dialect.encoding.note}")

    @property
    def first_line(self) -> Sequence[str]:
        """Return the cells of the first line, as they stand."""
        return self._dialect.names

    def blocks(self, first_number: int) -> Iterator[Block]:
        """Yield all rows, numbered from `first_number`.

        Raises:
            SourceError: the file is damaged.

        """
        # Of the module, for all that use it: cells may be as long as lines.
        csv.field_size_limit(_LONGEST_LINE)
        reader = _Lines(self._part.name, self.columns, self._dialect, self._options, self._notes)
        try:
            with self._opened() as text:
                yield from reader.blocks(text, first_number, self._chunk_characters)
        except UnicodeError as error:
            raise SourceError(
                f"{self._part.name} is not {self._dialect.encoding.codec} throughout: {error}"
            ) from error
        except DAMAGED as error:
            raise SourceError(f"{self._part.name} is damaged: {error}") from error

    def _opened(self) -> io.TextIOWrapper:
        codec = self._dialect.encoding.codec
        # Bytes that are no UTF-8 are found row by row, not lost and not fatal.
        errors = "surrogateescape" if codec.startswith("utf-8") else "strict"
        if codec == "utf-8":
            codec = "utf-8-sig"
        return io.TextIOWrapper(self._part.open(), encoding=codec, errors=errors, newline="")

    def _found(self) -> _Dialect:
        try:
            with self._part.open() as file:
                sample = file.read(_SAMPLE_BYTES)
        except DAMAGED as error:
            raise SourceError(f"{self._part.name} is damaged: {error}") from error
        encoding = encoding_of(sample, self._options.encoding)
        text = sample.decode(encoding.codec, "replace").lstrip("\ufeff")
        returns_only = "\r" in text and "\n" not in text
        lines = (text.replace("\r", "\n") if returns_only else text).split("\n")
        first = next((line.rstrip("\r") for line in lines if line.strip()), "")
        if encoding.codec.startswith("utf-8") and _is_binary(text, first):
            raise SourceError(f"{self._part.name} is not text: its first bytes are {sample[:8]!r}")
        if not first and self._options.columns is None:
            raise SourceError(f"{self._part.name} is empty: the first line must name the columns")
        if first.lstrip()[:1] in ("<",) and self._options.columns is None:
            raise SourceError(f"{self._part.name} begins as XML or HTML does, not as a table")
        delimiter = self._options.delimiter or _delimiter(first, self._options.columns)
        quoted = self._options.quoting is not Quoting.NONE and len(delimiter) == 1
        if self._options.quoting is Quoting.RFC4180 and len(delimiter) > 1:
            raise SourceError(f"the delimiter {delimiter!r} goes with --quoting none")
        if self._options.columns is not None:
            names: Sequence[str] = self._options.columns
        else:
            names = _split(first, delimiter, quoted)
        return _Dialect(encoding, delimiter, quoted, returns_only, names,
                        self._options.columns is None)  # fmt: skip


class _Lines:
    """Lines of one file as rows. A line is a row unless a cell in quotes holds line breaks."""

    def __init__(
        self,
        file: str,
        columns: Sequence[str],
        dialect: _Dialect,
        options: ReadOptions,
        notes: Notes,
    ) -> None:
        self._file = file
        self._columns = columns
        self._width = len(columns)
        self._dialect = dialect
        self._delimiter = dialect.delimiter
        self._strict = options.quoting is Quoting.RFC4180
        self._notes = notes
        self._said_undecodable = False
        # Of the block that is being made.
        self._rows: list[Sequence[str]] = []
        self._lines: list[int] = []
        self._numbers: list[int] = []
        self._faults: list[FaultyRow] = []
        self._number = 0

    def blocks(
        self, text: io.TextIOWrapper, first_number: int, chunk_characters: int
    ) -> Iterator[Block]:
        self._number = first_number
        header = self._dialect.has_header
        line, left_over = 1, ""
        pending: list[str] = []
        while True:
            piece = text.read(chunk_characters)
            last = not piece
            if self._dialect.returns_only:
                piece = piece.replace("\r", "\n")
            piece = left_over + piece
            cut = len(piece) if last else piece.rfind("\n")
            if cut < 0:
                if len(piece) > _LONGEST_LINE:
                    raise SourceError(f"{self._file}: line {line + len(pending)} has over "
                                      f"{_LONGEST_LINE >> 20} MiB: is it a table?")  # fmt: skip
                left_over = piece
                continue
            left_over = "" if last else piece[cut + 1 :]
            piece = piece[:cut]
            suspect = self._suspect(piece, line + len(pending)) or bool(pending)
            lines = piece.split("\n") if piece or not last else []
            if "\r" in piece:
                lines = [one.rstrip("\r") for one in lines]
            if pending:
                lines = [*pending, *lines]
            if header:
                skipped = next((n for n, one in enumerate(lines) if one.strip()), len(lines) - 1)
                header = not (lines and lines[skipped].strip())
                lines = lines[skipped + 1 :]
                line += skipped + 1
            quotes = self._dialect.quoted and ('"' in piece or bool(pending))
            block, used = self._block(lines, line, quotes, last, suspect)
            pending = lines[used:]
            line += used
            if block.all_rows:
                yield block
            if last:
                return

    def _suspect(self, piece: str, line: int) -> bool:
        """Return whether a text holds bytes that are no UTF-8, and say so once."""
        if piece.isascii():
            return False
        try:
            piece.encode()
        except UnicodeEncodeError as error:
            if not self._said_undecodable:
                self._said_undecodable = True
                at = line + piece.count("\n", 0, error.start)
                guess = guess_of(_undecoded(piece[error.start :]))
                self._notes.say(
                    f"{self._file} holds bytes that are no UTF-8, first near line {at}; it looks "
                    f"like {guess}: then say --encoding {guess}"
                )
            return True
        return False

    def _block(
        self, lines: list[str], first_line: int, quotes: bool, last: bool, suspect: bool
    ) -> tuple[Block, int]:
        """Return the rows of lines, and how many lines that took."""
        rows = self._quick(lines, quotes)
        if rows is not None:
            begin, self._number = self._number, self._number + len(rows)
            columns = dict(zip(self._columns, zip(*rows, strict=True), strict=True)) if rows else {}
            numbers = range(begin, self._number)
            places = range(first_line, first_line + len(rows))
            return Block(self._file, numbers, places, columns, (), suspect), len(lines)
        self._rows, self._lines, self._numbers, self._faults = [], [], [], []
        used = self._one_by_one(lines, first_line, quotes, last)
        transposed = zip(*self._rows, strict=True) if self._rows else ([],) * self._width
        found = {n: list(c) for n, c in zip(self._columns, transposed, strict=True)}
        block = Block(self._file, self._numbers, self._lines, found, self._faults, suspect)
        return block, used

    def _quick(self, lines: list[str], quotes: bool) -> list[Sequence[str]] | None:
        """Return rows when each line is one, and of the right width; else None."""
        if not lines:
            return []
        if not quotes:
            delimiter = self._delimiter
            rows: list[Sequence[str]] = [line.split(delimiter) for line in lines]
        else:
            try:
                rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
            except csv.Error:
                return None
            if len(rows) != len(lines):
                return None
        if set(map(len, rows)) != {self._width}:
            return None
        # An empty line is no row, also where one empty cell would make one.
        if self._width == 1 and not all(row[0].strip() for row in rows):
            return None
        return rows

    def _one_by_one(self, lines: list[str], first_line: int, quotes: bool, last: bool) -> int:
        index = 0
        while index < len(lines):
            line = lines[index]
            if not line.strip():
                index += 1
                continue
            at = first_line + index
            if not (quotes and '"' in line):
                self._take(line.split(self._delimiter), at, line)
                index += 1
                continue
            cells, used = self._quoted(lines, index, at, last)
            if used == 0:
                break
            if cells is not None:
                self._take(cells, at, line)
            index += used
        return index

    def _quoted(
        self, lines: list[str], index: int, at: int, last: bool
    ) -> tuple[Sequence[str] | None, int]:
        """Return the cells of the row that begins at a line with quotation marks, and how many
        lines it takes: 0 when it may end beyond `lines`. None: it was rejected.
        """
        end = min(len(lines), index + _LONGEST_RECORD_LINES)
        reader = csv.reader(
            (lines[n] + "\n" for n in range(index, end)), delimiter=self._delimiter, strict=True
        )
        try:
            cells = next(reader)
        except (csv.Error, StopIteration):
            if not last and index + reader.line_num >= len(lines) and end == len(lines):
                return None, 0
            return self._stray(lines[index], at)
        used = reader.line_num
        if used == 1:
            return cells, 1
        if len(cells) != self._width:
            return self._stray(lines[index], at)
        literal = [lines[n].split(self._delimiter) for n in range(index, index + used)]
        if (
            not self._strict
            and self._width >= _COMMON_NAMES
            and all(len(row) == self._width for row in literal)
        ):
            # Each of the lines is a row by itself: two marks that have nothing to do with each
            # other are likelier than a cell that holds rows.
            return self._stray(lines[index], at)
        self._notes.say(
            f"{self._file}: cells in quotes hold line breaks, first in line {at}; when lines are "
            "rows throughout, say --quoting none",
            about=f"{self._file}: line breaks",
        )
        return cells, used

    def _stray(self, line: str, at: int) -> tuple[Sequence[str] | None, int]:
        if self._strict:
            fault = RowFault("INVALID_QUOTE", "a quotation mark does not fit", "", shown(line))
            self._reject(at, fault, line)
            return None, 1
        self._notes.say(
            f"{self._file}: quotation marks that open no cell, or do not close, are taken as text, "
            f"first in line {at} (--quoting rfc4180 rejects such lines)",
            about=f"{self._file}: stray marks",
        )
        return line.split(self._delimiter), 1

    def _take(self, cells: Sequence[str], at: int, line: str) -> None:
        if len(cells) != self._width:
            what = f"the row has {len(cells)} cells, the columns are {self._width}"
            self._reject(at, RowFault("WRONG_NUMBER_OF_CELLS", what, "", shown(line)), line)
            return
        self._rows.append(cells)
        self._lines.append(at)
        self._numbers.append(self._number)
        self._number += 1

    def _reject(self, at: int, fault: RowFault, line: str) -> None:
        cells = {"line": shown(line)}
        self._faults.append(FaultyRow(self._number, at, self._file, fault, cells))
        self._number += 1


def _is_binary(text: str, first_line: str) -> bool:
    """Return whether a text is none: zero bytes in the first line, or one in twenty characters.
    Single ones further below are a matter of their rows.
    """
    head = text[:1000]
    return "\x00" in first_line or head.count("\x00") * 20 > len(head)


def _undecoded(text: str) -> bytes:
    """Return the bytes of a text that were no UTF-8."""
    return bytes(ord(char) & 0xFF for char in text if "\udc80" <= char <= "\udcff")


def _split(line: str, delimiter: str, quoted: bool) -> Sequence[str]:
    if quoted and '"' in line:
        try:
            return next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error:
            pass
    return line.split(delimiter)


def _delimiter(line: str, columns: Sequence[str] | None) -> str:
    """Return what separates the cells of a line: what makes as many as there are columns, or
    what occurs most often.
    """
    if columns is not None:
        for delimiter in _DELIMITERS:
            if len(_split(line, delimiter, len(delimiter) == 1)) == len(columns):
                return delimiter
    counts = {one: line.count(one) for one in _DELIMITERS}
    if counts["::"] >= max(counts.values()):
        return "::" if counts["::"] else ","
    return max(counts, key=lambda one: counts[one])


def first_line(file: str) -> str:
    """Return the first line of a file, or of the first one in a folder or of a pattern.

    Raises:
        SourceError: there is no such file, or it is damaged.

    """
    with parts_of([file]) as parts, parts[0].open() as opened:
        try:
            sample = opened.read(_SAMPLE_BYTES)
        except DAMAGED as error:
            raise SourceError(f"{parts[0].name} is damaged: {error}") from error
    text = sample.decode(encoding_of(sample, None).codec, "replace").lstrip("\ufeff\r\n ")
    return text.split("\n", 1)[0]
