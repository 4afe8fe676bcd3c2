"""One table of any source and format: what all commands read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from services.dataset.faults import ColumnError, SourceError
from services.dataset.source.packing import DAMAGED, HEAD_BYTES, foreign_format
from services.dataset.source.parts import Part, fingerprint_of, parts_of
from services.dataset.table.block import Block, LazyColumns, Notes
from services.dataset.table.delimited import DelimitedPart
from services.dataset.table.json_rows import JsonPart, looks_like_json
from services.dataset.table.lists import elements_of
from services.dataset.table.options import Converter, ReadOptions
from services.dataset.table.parquet import MAGIC, ParquetPart
from services.dataset.table.query import QueryPart


@dataclass(frozen=True, slots=True)
class Source:
    """What the caller names: files (also folders, patterns, "-" for standard input), or a query."""

    files: Sequence[str] = ()
    query: str | None = None
    dsn: str | None = None


class _Readable(Protocol):
    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def twice(self) -> frozenset[str]: ...

    def blocks(self, first_number: int) -> Iterator[Block]: ...


class Table:
    """Rows that can be read from the beginning any number of times.

    `columns`: names in lower case; of JSON all that any row has. `resumable`: rows come in the same
    order each time. `grows`: more may come at the end. `notes`: what there is to say about it.
    `paths`: the files that are read, as they lie on disk. `fingerprint`: of two sources that give
    the same rows, since their content and how it is read are the same.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[tuple[_Readable, Mapping[str, str | None]]],
        options: ReadOptions,
        fingerprint: str,
        notes: Notes,
        resumable: bool = True,
        grows: bool = False,
        paths: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self.paths = paths
        self.fingerprint = fingerprint
        self.notes = notes
        self.resumable = resumable
        self.grows = grows
        self._parts = parts
        self._options = options
        names: dict[str, None] = {}
        twice: set[str] = set()
        for part, constants in parts:
            names.update(dict.fromkeys([*part.columns, *constants]))
            # A folder that says "day=..." around files with a column of that name, too.
            twice |= part.twice | constants.keys() & set(part.columns)
        names.update(dict.fromkeys(options.converters))
        self.columns: Sequence[str] = list(names)
        self._twice = twice
        if options.lists is not None and not self.has(options.lists):
            raise ColumnError(
                f"there is no column {options.lists!r} to take rows from; the source has: "
                f"{', '.join(self.columns) or 'no columns'}"
            )

    @property
    def headless(self) -> Sequence[str] | None:
        """Return the first line when it looks like data where a header is due, else None."""
        for part, _ in self._parts:
            if isinstance(part, DelimitedPart) and self._options.columns is None:
                cells = [cell.strip() for cell in part.first_line]
                if any(_is_data(cell) for cell in cells):
                    return cells
        return None

    def has(self, name: str) -> bool:
        """Return whether there is a column, or a column that a path begins in."""
        return any(name == one or name.startswith(f"{one}.") for one in self.columns)

    def check_once(self, name: str) -> None:
        """Check that a column is there once.

        Raises:
            ColumnError: two columns have its name.

        """
        if name in self._twice:
            raise ColumnError(
                f"two columns are called {name!r}; the file has: {', '.join(self._raw_columns())}. "
                "Rename one, or name all columns with --columns of a file without header"
            )

    def blocks(self) -> Iterator[Block]:
        """Yield all rows of all files, numbered from 1.

        Raises:
            SourceError: a file is damaged.

        """
        number = 1
        for part, constants in self._parts:
            taken = 1
            for block in part.blocks(number if self._options.lists is None else taken):
                taken += block.all_rows
                whole = _with_constants(block, constants) if constants else block
                whole = _converted(whole, self._options.converters)
                if self._options.lists is not None:
                    whole = elements_of(whole, self._options.lists, number, self.notes)
                number += whole.all_rows
                yield _without_nulls(whole, self._options.nulls)

    def _raw_columns(self) -> Sequence[str]:
        return [name for part, _ in self._parts for name in part.columns]


@contextmanager
def open_table(source: Source, options: ReadOptions | None = None) -> Iterator[Table]:
    """Open what a source names.

    Raises:
        SourceError: there is nothing there, or it is nothing that we read.
        ColumnError: there is no list to take rows from.

    """
    options = options or ReadOptions()
    with ExitStack() as stack:
        if source.query is not None:
            if source.files:
                raise SourceError("give either files, or --query with --dsn")
            if not source.dsn:
                raise SourceError("--query needs --dsn")
            query = stack.enter_context(QueryPart(source.dsn, source.query))
            fingerprint = f"{query.fingerprint()} {options.identity}"
            yield Table("the query", [(query, {})], options, fingerprint, Notes(),
                        query.is_ordered, grows=True)  # fmt: skip
            return
        if not source.files:
            raise SourceError("give a file, or --query with --dsn")
        parts = stack.enter_context(parts_of(source.files))
        notes = Notes()
        readable = [(_readable(part, options, notes), part.constants) for part in parts]
        name = parts[0].name if len(parts) == 1 else f"{len(parts)} files"
        yield Table(name, readable, options, f"{fingerprint_of(parts)} {options.identity}", notes,
                    paths=[part.path for part in parts])  # fmt: skip


def _readable(part: Part, options: ReadOptions, notes: Notes) -> _Readable:
    try:
        with part.open() as file:
            head = file.read(HEAD_BYTES)
    except DAMAGED as error:
        raise SourceError(f"{part.name} is damaged: {error}") from error
    if head.startswith(MAGIC):
        return ParquetPart(part)
    foreign = foreign_format(head)
    if foreign:
        raise SourceError(
            f"{part.name} is {foreign}: give CSV, JSON lines or Parquet, also packed with gzip, "
            "zstd, bz2 or zip"
        )
    if options.delimiter is None and looks_like_json(head, part.suffixes):
        return JsonPart(part, options, notes)
    return DelimitedPart(part, options, notes)


def _with_constants(block: Block, constants: Mapping[str, str | None]) -> Block:
    names = list(dict.fromkeys([*block.columns, *constants]))

    def make(name: str) -> Sequence[object]:
        if name in constants:
            return [constants[name]] * block.rows
        return block.columns[name]

    return replace(block, columns=LazyColumns(names, make))


def _converted(block: Block, converters: Mapping[str, Converter]) -> Block:
    if not converters:
        return block

    def make(name: str) -> Sequence[object]:
        if name not in converters:
            return block.columns[name]
        columns, convert = converters[name]
        return list(map(convert, *(block.column(one) for one in columns)))

    names = list(dict.fromkeys([*block.columns, *converters]))
    return replace(block, columns=LazyColumns(names, make))


def _without_nulls(block: Block, nulls: frozenset[str]) -> Block:
    """Return a block in which texts that mean an empty cell are empty."""
    if not nulls:
        return block

    def make(name: str) -> Sequence[object]:
        return [
            None if isinstance(cell, str) and cell.strip() in nulls else cell
            for cell in block.columns[name]
        ]

    return replace(block, columns=LazyColumns(list(block.columns), make))


def _is_data(cell: str) -> bool:
    return bool(cell) and cell.replace(".", "").replace("-", "").isdigit()
