"""A history before it is imported: looked through, sorted where it has to be, and what is meant."""

import typer

from services.cli.console import messages
from services.cli.imports.event_chunk import Window
from services.cli.progress_bar import counting_line
from services.dataset.history.event_batch import EventReader
from services.dataset.history.ordered import OrderedEvents, Survey
from services.dataset.table.table import Table
from services.system.history import start_row


def looked_through(table: Table, ordered: OrderedEvents) -> Survey:
    """Look through a history, and say when it is not in order of time.

    Raises:
        SourceError: the table is damaged.

    """
    with counting_line(f"looking through {table.name}") as count:
        survey = ordered.look_through(count)
    if not survey.ordered:
        messages().print(
            f"{table.name} is not in order of time (row {survey.first_late:,} is older than the "
            "one before): it was sorted",
            markup=False,
        )
    return survey


def say_times(reader: EventReader, survey: Survey) -> None:
    """Say how the numbers of the column of times were read, or that there is no such column."""
    if reader.fields.timestamp is None and survey.rows:
        messages().print(
            "note: no column has times, so all events get the time of this import; name one with "
            "--timestamp-column",
            style="yellow",
            markup=False,
        )
    units = reader.times.units
    if not units:
        return
    read = ", ".join(f"{unit.value}" for unit in units)
    console = messages()
    if len(units) > 1:
        console.print(
            f"note: {reader.fields.timestamp} holds numbers of several magnitudes, read as {read} "
            "each; --time-format unix, unix_ms, unix_us or unix_ns reads all alike",
            style="yellow",
            markup=False,
        )
    elif survey.rows:
        console.print(f"{reader.fields.timestamp}: read as {read}", markup=False)


def window_of(start: float, limit: int | None, survey: Survey) -> Window:
    """Return which events are meant: `limit` of them from `start`, a number or a share, on.

    Raises:
        typer.BadParameter: start is neither.

    """
    events = survey.rows - sum(survey.rejected.values())
    try:
        first = start_row(start, events)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return Window(first, None if limit is None else first + limit)


def rows_of(window: Window, survey: Survey) -> int:
    """Return how many rows an import takes: the events meant, and all that are faulty."""
    faulty = sum(survey.rejected.values())
    events = survey.rows - faulty
    end = events if window.end is None else min(events, window.end)
    return max(0, end - window.first) + faulty
