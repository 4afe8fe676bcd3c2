"""Options that say what to read and how: the same for all commands that read files."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from services.cli.console import messages
from services.cli.failures import CommandError
from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.presets.preset import EventShape, ItemShape, Preset, UserShape
from services.dataset.presets.registry import PRESETS
from services.dataset.source.parts import REJECTS, STDIN
from services.dataset.table.delimited import first_line
from services.dataset.table.options import Quoting, ReadOptions, delimiter_of
from services.dataset.table.table import Source, Table, open_table
from services.dataset.values.cells import DecimalMark
from services.dataset.values.times import TIME_FORMAT_WORDS, TimeOptions, checked_format, zone_of

_Options = TypeVar("_Options")
_Shape = TypeVar("_Shape", EventShape, ItemShape, UserShape)

_FORMATS = ", ".join(PRESETS)

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILES...",
        help="Files, folders or patterns; - is standard input. CSV or TSV, JSON lines, one JSON "
        "array, Parquet; also packed with gzip, zstd, bz2, xz or zip.",
    ),
]

Decimal = Annotated[
    DecimalMark | None,
    typer.Option(help="What stands before a fraction: '.', or ',' as in 1.089,90."),
]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is written. Everything is found in the source unless it is given."""

    query: Annotated[
        str | None,
        typer.Option(
            help="SELECT whose rows are read instead of files. With an ORDER BY over something "
            "unique, which later rows only follow, a broken import is resumed."
        ),
    ] = None
    dsn: Annotated[
        str | None,
        typer.Option(envvar="HARKEN_IMPORT_DSN", help="PostgreSQL that --query runs on."),
    ] = None
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"Named format: {_FORMATS}.")
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option(help="What separates cells: any characters, such as '\\t', ';' or '::'."),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(help="Names of the columns of files without header, separated by commas."),
    ] = None
    quoting: Annotated[
        Quoting | None,
        typer.Option(
            help="Quotation marks: as RFC 4180 has them, and those that do not fit as text (auto); "
            "lines with such rejected (rfc4180); all as text (none)."
        ),
    ] = None
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of texts; default: UTF-8, or as a mark says.")
    ] = None
    null: Annotated[
        list[str] | None,
        typer.Option(help="Text that means an empty cell, such as NULL; may be repeated."),
    ] = None
    rows_in: Annotated[
        str | None,
        typer.Option(
            help="Path of a list in each row, whose elements are the rows: its fields are "
            "PATH.NAME."
        ),
    ] = None

    def options(self, preset: ReadOptions) -> ReadOptions:
        """Return what is given, and what a named format says otherwise.

        Raises:
            SourceError: the delimiter cannot be one.

        """
        names = None
        if self.columns is not None:
            names = [name.strip() for name in self.columns.split(",")]
        delimiter = delimiter_of(self.delimiter)
        return ReadOptions(
            preset.delimiter if delimiter is None else delimiter,
            names or preset.columns,
            self.quoting or preset.quoting,
            self.encoding or preset.encoding,
            frozenset(self.null or ()) or preset.nulls,
            self.rows_in.strip().lower() if self.rows_in else preset.lists,
            preset.converters,
        )


@dataclass(frozen=True, slots=True)
class EventMapping:
    """Which columns hold what of events. A column of JSON or of a struct is a path with dots."""

    user_column: Annotated[str | None, typer.Option(help="Column of user ids.")] = None
    session_column: Annotated[
        str | None, typer.Option(help="Column of session ids, of who is not known.")
    ] = None
    item_column: Annotated[str | None, typer.Option(help="Column of item ids.")] = None
    timestamp_column: Annotated[str | None, typer.Option(help="Column of times.")] = None
    type_column: Annotated[str | None, typer.Option(help="Column of event types.")] = None
    event_type: Annotated[
        str | None, typer.Option("--type", help="Type of all events, instead of a column.")
    ] = None
    value_column: Annotated[str | None, typer.Option(help="Column of values.")] = None
    event_id_column: Annotated[
        str | None, typer.Option(help="Column of event ids; default: made from the content.")
    ] = None
    line_ids: Annotated[
        bool,
        typer.Option(
            "--line-ids",
            help="One event id names several lines, such as an order its products: make one of "
            "each line.",
        ),
    ] = False
    map_type: Annotated[
        list[str] | None,
        typer.Option(
            help="Event type by what the file calls it, as addtocart=add_to_cart; repeatable."
        ),
    ] = None
    time_zone: Annotated[
        str | None, typer.Option(help="Of times that name none, such as Europe/Berlin; UTC.")
    ] = None
    time_format: Annotated[
        str | None,
        typer.Option(
            help=f"How times are written: {', '.join(TIME_FORMAT_WORDS)}, or as strptime has it, "
            "such as '%d.%m.%Y %H:%M'. Default: what is unambiguous is read."
        ),
    ] = None
    decimal: Decimal = None

    def options(self, preset: EventOptions) -> EventOptions:
        """Return what is given, and what a named format says otherwise.

        Raises:
            CommandError: a type is mapped to nothing, or there is no such time zone.

        """
        given = EventOptions(
            self.user_column, self.session_column, self.item_column, self.timestamp_column,
            self.type_column, self.value_column, self.event_id_column, self.event_type,
        )  # fmt: skip
        found = _over(given, preset)
        if self.type_column is not None and self.event_type is None:
            found = replace(found, constant_type=None)
        return replace(
            found,
            type_map={**preset.type_map, **_type_map(self.map_type or ())},
            times=time_options(self.time_zone, self.time_format, preset.times),
            line_ids=self.line_ids or preset.line_ids,
            decimal=self.decimal or preset.decimal,
        )


@dataclass(frozen=True, slots=True)
class ItemMapping:
    """Which columns hold what of items."""

    item_column: Annotated[str | None, typer.Option(help="Column of item ids.")] = None
    title_column: Annotated[str | None, typer.Option(help="Column of titles.")] = None
    description_column: Annotated[str | None, typer.Option(help="Column of descriptions.")] = None
    categories_column: Annotated[str | None, typer.Option(help="Column of categories.")] = None
    tags_column: Annotated[str | None, typer.Option(help="Column of tags.")] = None
    available_column: Annotated[
        str | None, typer.Option(help="Column of availability: truth, or a count.")
    ] = None
    publish_column: Annotated[str | None, typer.Option(help="Column of times of release.")] = None
    expire_column: Annotated[
        str | None, typer.Option(help="Column of times from which on an item is not shown.")
    ] = None
    owner_column: Annotated[
        str | None, typer.Option(help="Column of whom items belong to: sellers, authors.")
    ] = None
    number: Annotated[
        list[str] | None,
        typer.Option(help="Column of numbers; may be repeated. Default: year, price and such."),
    ] = None
    separator: Annotated[
        str | None,
        typer.Option(help="What separates categories and tags: | unless given; ' ' white space."),
    ] = None
    time_zone: Annotated[
        str | None, typer.Option(help="Of times that name none, such as Europe/Berlin; UTC.")
    ] = None
    time_format: Annotated[
        str | None, typer.Option(help="How times are written, as strptime has it.")
    ] = None
    decimal: Decimal = None

    def options(self, preset: ItemOptions) -> ItemOptions:
        """Return what is given, and what a named format says otherwise.

        Raises:
            CommandError: there is no such time zone, or the separator is empty.

        """
        if self.separator == "":
            raise CommandError("--separator is empty: give what separates, such as '|' or ' '")
        given = ItemOptions(
            self.item_column, self.title_column, self.description_column, self.categories_column,
            self.tags_column, self.available_column, self.publish_column, self.expire_column,
            self.owner_column, self.number,
            preset.separator if self.separator is None else self.separator,
        )  # fmt: skip
        times = time_options(self.time_zone, self.time_format, preset.times)
        return replace(
            _over(given, preset),
            separator=given.separator,
            times=times,
            decimal=self.decimal or preset.decimal,
        )


@contextmanager
def opened_events(
    files: Sequence[str] | None, reading: Reading, mapping: EventMapping
) -> Iterator[tuple[Table, EventOptions]]:
    """Open a source of events.

    Raises:
        CommandError, SourceError: an option is wrong, or the source cannot be read.

    """
    shape = _shape(files, reading, "events", EventShape())
    with _opened(files, reading, shape.read) as table:
        yield table, mapping.options(shape.fields)


@contextmanager
def opened_items(
    files: Sequence[str] | None, reading: Reading, mapping: ItemMapping
) -> Iterator[tuple[Table, ItemOptions]]:
    """Open a source of items.

    Raises:
        CommandError, SourceError: an option is wrong, or the source cannot be read.

    """
    shape = _shape(files, reading, "items", ItemShape())
    with _opened(files, reading, shape.read) as table:
        yield table, mapping.options(shape.fields)


@contextmanager
def opened_users(
    files: Sequence[str] | None, reading: Reading
) -> Iterator[tuple[Table, str | None]]:
    """Open a source of users; return it and the column of ids that its format names.

    Raises:
        CommandError, SourceError: an option is wrong, or the source cannot be read.

    """
    shape = _shape(files, reading, "users", UserShape())
    with _opened(files, reading, shape.read) as table:
        yield table, shape.user


def say_notes(table: Table) -> None:
    """Print what there is to say about a source, as it was read."""
    for note in table.notes.texts:
        messages().print(f"note: {note}", style="yellow", markup=False)


def time_options(zone: str | None, form: str | None, preset: TimeOptions) -> TimeOptions:
    """Return how times are written.

    Raises:
        CommandError: there is no such time zone, or the format is none.

    """
    try:
        found = preset.zone if zone is None else zone_of(zone)
    except ValueError as error:
        raise CommandError(str(error)) from None
    try:
        written = preset.format if form is None else checked_format(form)
    except ValueError as error:
        raise CommandError(f"--time-format {error}") from None
    return TimeOptions(found, written)


def rejects_beside(kind: str, files: Sequence[str] | None) -> Path:
    """Return the file of rejects beside the file or folder that a source is; in this folder, named
    by the kind of rows, when it is several, or none on disk.
    """
    if files is not None and len(files) == 1 and files[0] != STDIN and Path(files[0]).exists():
        return Path(files[0]).with_name(f"{Path(files[0]).name}{REJECTS}")
    return Path(f"{kind}{REJECTS}")


@contextmanager
def _opened(files: Sequence[str] | None, reading: Reading, preset: ReadOptions) -> Iterator[Table]:
    source = Source(tuple(files or ()), reading.query, reading.dsn)
    with open_table(source, reading.options(preset)) as table:
        yield table


def _shape(files: Sequence[str] | None, reading: Reading, kind: str, default: _Shape) -> _Shape:
    name = reading.format_name
    if name is None:
        return default
    preset: Preset | None = PRESETS.get(name.strip().lower())
    if preset is None:
        raise CommandError(f"there is no format {name!r}; there are: {_FORMATS}")
    shapes: tuple[_Shape, ...] = getattr(preset, kind)
    if not shapes:
        raise CommandError(f"the format {preset.name} has no {kind} ({preset.about})")
    if len(shapes) == 1:
        return shapes[0]
    if not files or files[0] == STDIN:
        raise CommandError(f"the format {preset.name} is told by its first line: give a file")
    line = first_line(files[0])
    return next((shape for shape in shapes if shape.fits(line)), shapes[-1])


def _over(given: _Options, preset: _Options) -> _Options:
    """Return options as given, those that are None as in the preset."""
    found: dict[str, Any] = {}
    for one in fields(given):  # type: ignore[arg-type]
        value = getattr(given, one.name)
        found[one.name] = getattr(preset, one.name) if value is None else value
    return replace(given, **found)  # type: ignore[type-var]


def _type_map(pairs: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in itertools.chain.from_iterable(pair.split(",") for pair in pairs):
        name, equals, meant = pair.rpartition("=")
        if not equals or not name.strip() or not meant.strip():
            raise CommandError(f"--map-type must be such as addtocart=cart, is {pair!r}")
        found[name.strip()] = meant.strip()
    return found
