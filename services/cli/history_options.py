"""The history and items of evaluate, train and tune, read as an import reads them."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape

from services.cli.console import messages
from services.cli.reading import (
    EventMapping,
    ItemMapping,
    Reading,
    opened_events,
    opened_items,
    say_notes,
)
from services.common.content_features import Content
from services.dataset.fields.item_fields import read_items
from services.dataset.history.event_file import read_events
from services.dataset.history.events import Events

HISTORY: Mapping[str, type] = MappingProxyType({"reading": Reading, "mapping": EventMapping})
"""Groups of options (see with_options) that say what a history is: of all commands with one."""
ItemsFile = Annotated[
    list[str] | None,
    typer.Option("--items", help="File of items with their content; may be repeated."),
]
ItemSeparator = Annotated[
    str | None,
    typer.Option(help="What separates categories and tags: | unless given; ' ' white space."),
]
KeepAnyway = Annotated[
    bool,
    typer.Option(
        "--keep-anyway", help="Keep what was trained, also where it is no better than none."
    ),
]
_ROWS_A_LINE = 1_000_000
_TYPES_SAID = 8


class RowsSaid:
    """Says now and then how many rows are read."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = 0

    def __call__(self, rows: int) -> None:
        """Hear how many rows are read."""
        if rows - self._said >= _ROWS_A_LINE:
            self._said = rows
            messages().print(f"[dim]{escape(self._name)}: {rows:,} rows read[/]")


def read_history(files: Sequence[str] | None, reading: Reading, mapping: EventMapping) -> Events:
    """Return the events of a history, in memory, and say what was left out.

    Raises:
        ColumnError, SourceError: as read_events.

    """
    with opened_events(files, reading, mapping) as (table, options):
        events = read_events(table, options, RowsSaid(table.name))
        say_notes(table)
    say_left_out(events)
    return events


def say_left_out(events: Events) -> None:
    """Print how many rows of a history are not among its events, and why."""
    for reason, rows in events.rejected.items():
        messages().print(f"[yellow]{rows:,} rows left out: {reason}[/]")
    if events.duplicates:
        messages().print(
            f"[yellow]{events.duplicates:,} rows left out: their event id came before[/]"
        )


def say_unknown_types(events: Events, types: Collection[str], preset: str) -> None:
    """Print which types of a history a preset does not know: here they count, a suite has none.

    types: names that the preset knows.
    """
    counts = np.bincount(events.kinds, minlength=len(events.types)).tolist()
    unknown = {
        name: count
        for name, count in zip(events.types, counts, strict=True)
        if count and name not in types
    }
    if not unknown:
        return
    shown = ", ".join(
        f"{count:,} {repr(name) if name else 'without a type'}"
        for name, count in list(unknown.items())[:_TYPES_SAID]
    )
    more = f" and {len(unknown) - _TYPES_SAID} more" if len(unknown) > _TYPES_SAID else ""
    messages().print(
        f"[yellow]types that {preset} does not know weigh 1 here, and a suite sets them aside: "
        f"{escape(shown)}{more} (--map-type NAME=TYPE; it knows {', '.join(sorted(types))})[/]"
    )


def read_contents(
    files: Sequence[str] | None, format_name: str | None, separator: str | None
) -> dict[str, Content]:
    """Return the contents of the items of files, and say what was left out.

    Raises:
        ColumnError, SourceError: as read_items.

    """
    if not files:
        return {}
    mapping = ItemMapping(separator=separator)
    with opened_items(files, Reading(format_name=format_name), mapping) as (table, options):
        found = read_items(table, options)
        say_notes(table)
    for reason, rows in found.rejected.items():
        messages().print(f"[yellow]{rows:,} rows of items left out: {reason}[/]")
    return found.contents
