"""JSON: a row a line, one array of rows, or objects over several lines, as blocks of columns."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.dataset.faults import FaultyRow, RowFault, SourceError, shown
from services.dataset.source.encodings import encoding_of
from services.dataset.source.packing import DAMAGED
from services.dataset.source.parts import Part
from services.dataset.table.block import Block, Cells, LazyColumns, Notes
from services.dataset.table.names import column_name
from services.dataset.table.options import ReadOptions
from services.dataset.values.cells import ABSENT, plain_cell

_BLOCK_ROWS = 20_000
_CHUNK_CHARACTERS = 1 << 20
_SAMPLE_BYTES = 1 << 16
_LONGEST_VALUE = 1 << 27
_Row = Mapping[str, object]


class _TwiceError(ValueError):
    """An object has two values of one name."""


class JsonPart:
    """One JSON file, read from its beginning any number of times."""

    def __init__(self, part: Part, options: ReadOptions, notes: Notes) -> None:
        """Find out whether rows are lines.

        Raises:
            SourceError: it is damaged.

        """
        self._part = part
        try:
            with part.open() as file:
                sample = file.read(_SAMPLE_BYTES)
        except DAMAGED as error:
            raise SourceError(f"{part.name} is damaged: {error}") from error
        encoding = encoding_of(sample, options.encoding)
        if encoding.note:
            notes.say(f"{part.name}: {encoding.note}")
        self._codec = {"utf-8": "utf-8-sig"}.get(encoding.codec, encoding.codec)
        text = sample.decode(self._codec, "replace").lstrip()
        by_line = _is_by_line(text)
        self._in_array = text.startswith("[") and not by_line
        # Objects over several lines, as tools print them.
        self._spread = text.split("\n", 1)[0].strip() == "{" and not by_line
        self._names: dict[str, list[str]] | None = None
        self.twice: frozenset[str] = frozenset()

    @property
    def columns(self) -> Sequence[str]:
        """Return the names of all fields that any row has; the file is read for it once."""
        return list(self._raw_names())

    def blocks(self, first_number: int) -> Iterator[Block]:
        """Yield all rows, numbered from `first_number`.

        Raises:
            SourceError: the file is damaged.

        """
        names = self._raw_names()
        for rows, numbers, lines, faults, suspect in self._batches(first_number):
            columns = LazyColumns(list(names), _column(rows, names))
            yield Block(self._part.name, numbers, lines, columns, faults, suspect)

    def _raw_names(self) -> dict[str, list[str]]:
        if self._names is None:
            found: dict[str, None] = {}
            for rows, *_ in self._batches(1):
                for row in rows:
                    found.update(dict.fromkeys(row))
            names: dict[str, list[str]] = {}
            for raw in found:
                names.setdefault(column_name(raw), []).append(raw)
            self._names = names
            self.twice = frozenset(name for name, raws in names.items() if len(raws) > 1)
        return self._names

    def _batches(
        self, first_number: int
    ) -> Iterator[tuple[list[_Row], list[int], list[int], list[FaultyRow], bool]]:
        rows: list[_Row] = []
        numbers: list[int] = []
        lines: list[int] = []
        faults: list[FaultyRow] = []
        suspect = False
        number = first_number
        try:
            with self._part.open() as file:
                text = io.TextIOWrapper(
                    file, encoding=self._codec, errors="surrogateescape", newline="\n"
                )
                for line, value, raw in self._values(text):
                    if isinstance(value, dict):
                        rows.append(value)
                        numbers.append(number)
                        lines.append(line)
                        suspect = suspect or not raw.isascii() or "\\ud" in raw or "\\uD" in raw
                    else:
                        fault = _fault(value, raw)
                        faults.append(
                            FaultyRow(number, line, self._part.name, fault, {"line": shown(raw)})
                        )
                    number += 1
                    if len(rows) + len(faults) >= _BLOCK_ROWS:
                        yield rows, numbers, lines, faults, suspect
                        rows, numbers, lines, faults, suspect = [], [], [], [], False
        except UnicodeError as error:
            raise SourceError(f"{self._part.name} is not {self._codec} throughout") from error
        except DAMAGED as error:
            raise SourceError(f"{self._part.name} is damaged: {error}") from error
        if rows or faults:
            yield rows, numbers, lines, faults, suspect

    def _values(self, text: io.TextIOWrapper) -> Iterator[tuple[int, object, str]]:
        """Yield line, value and text of each row; the value is an exception where it cannot be
        read.
        """
        if self._in_array or self._spread:
            yield from _stream(text, self._part.name, self._in_array)
            return
        for line, raw in enumerate(text, 1):
            if raw.isspace():
                continue
            yield line, _parsed(raw), raw


def looks_like_json(sample: bytes, suffixes: Sequence[str]) -> bool:
    """Return whether a file is JSON, by its name and where that says nothing by its beginning."""
    if any(suffix in (".json", ".jsonl", ".ndjson") for suffix in suffixes):
        return True
    if suffixes[-1:] in (
        [".csv"], [".tsv"], [".txt"], [".dat"], [".inter"], [".item"], [".user"]
    ):  # fmt: skip
        return False
    text = sample.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("["):
        return text[1:].lstrip()[:1] == "{"
    return text.startswith("{") and (text[1:].lstrip()[:1] in ('"', "}"))


def _is_by_line(text: str) -> bool:
    """Return whether rows are lines, whatever the first one looks like: there are two whole values
    in consecutive lines, the latter an object, without the comma that an array has between them.
    """
    after_value = False
    for line in filter(str.strip, text.split("\n")):
        value = _whole_value(line)
        if after_value and isinstance(value, dict):
            return True
        after_value = value is not None
    return False


def _whole_value(line: str) -> object:
    """Return the array or object that a line is, None when it is none."""
    if line.strip()[-1] not in "]}":
        return None
    try:
        return _LENIENT.decode(line.strip())
    except (ValueError, RecursionError):
        return None


def _stream(text: io.TextIOWrapper, name: str, array: bool) -> Iterator[tuple[int, object, str]]:
    """Yield the elements of arrays, or objects, that follow each other."""
    buffer, line, ended = text.read(_CHUNK_CHARACTERS), 1, False
    at, inside = 0, False
    while True:
        start = at
        skipped = " \t\r\n," if inside else " \t\r\n"
        while at < len(buffer) and buffer[at] in skipped:
            at += 1
        line += buffer.count("\n", start, at)
        if array and buffer[at : at + 1] == ("]" if inside else "["):
            inside = not inside
            at += 1
            continue
        if at < len(buffer):
            if array and not inside:
                more = shown(buffer[at : at + 40])
                raise SourceError(f"{name} is a JSON array, but after it line {line} has: {more}")
            try:
                value, end = _decoded(buffer, at)
                # A number may go on in the next piece.
                whole = ended or end < len(buffer)
            except json.JSONDecodeError as error:
                if ended or len(buffer) - at > _LONGEST_VALUE:
                    raise SourceError(
                        f"{name} is one JSON {'array' if array else 'text'} that cannot be read "
                        f"near line {line + buffer.count(chr(10), at, error.pos)}: {error.msg}"
                    ) from None
                whole = False
            except RecursionError:
                raise SourceError(f"{name}, near line {line}: objects in objects") from None
            if whole:
                raw = buffer[at:end]
                yield line, _plain_row(value), raw
                line += raw.count("\n")
                at = end
                continue
        elif ended:
            if inside:
                raise SourceError(f"{name} is a JSON array that does not end: it is cut off")
            return
        piece = text.read(max(_CHUNK_CHARACTERS, len(buffer) - at))
        ended = not piece
        buffer, at = buffer[at:] + piece, 0


def _decoded(buffer: str, at: int) -> tuple[object, int]:
    """Return a value, or the fault of one that is JSON but no row, and where it ends."""
    try:
        return _DECODER.raw_decode(buffer, at)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        return error, _LENIENT.raw_decode(buffer, at)[1]


def _parsed(raw: str) -> object:
    try:
        return _plain_row(_DECODER.decode(raw.strip()))
    except (ValueError, RecursionError) as error:
        return error


def _plain_row(value: object) -> object:
    if type(value) is not dict and not isinstance(value, ValueError):
        return ValueError("it is no JSON object")
    return value


def _fault(value: object, raw: str) -> RowFault:
    reason = "DUPLICATE_FIELD" if isinstance(value, _TwiceError) else "INVALID_JSON"
    detail = "it is no JSON object" if isinstance(value, RecursionError) else str(value)
    return RowFault(reason, detail, "", shown(raw.strip()))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _TwiceError(f"the object has {twice!r} twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
_LENIENT = json.JSONDecoder(parse_int=str)
"""Finds out where a value ends, also one with a name twice, or a number of thousands of digits."""


def _column(rows: Sequence[_Row], names: Mapping[str, Sequence[str]]) -> Any:
    def make(name: str) -> Cells:
        raws = names[name]
        first = raws[0]
        cells: list[object] = [row.get(first, ABSENT) for row in rows]
        for raw in raws[1:]:
            cells = [row.get(raw, ABSENT) if cell is ABSENT else cell
                     for row, cell in zip(rows, cells, strict=True)]  # fmt: skip
        return [cell if type(cell) is str else plain_cell(cell) for cell in cells]

    return make
