"""`harken import events|items|users`: files, or the rows of a query, into a suite."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.catch_up import wait_for_rankers
from services.cli.clients import connect
from services.cli.console import messages, output
from services.cli.failures import clear_failures, run
from services.cli.imports.event_import import EventImport, ImportSummary
from services.cli.imports.event_rows import EventRow, event_rows
from services.cli.imports.import_state import ImportStateFile
from services.cli.imports.item_target import item_target
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.row_import import RowSummary, RowTarget, import_rows
from services.cli.imports.row_source import RowSource, row_source
from services.cli.imports.user_rows import user_columns
from services.cli.imports.user_target import user_target
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.progress_bar import progress_bar
from services.dataset.event_columns import EventOptions, event_columns
from services.dataset.item_columns import ItemOptions, item_columns
from services.evaluation.history import start_row

app = typer.Typer(
    help="Import into a suite: CSV with a header, JSON lines (both also gzipped), Parquet, or the "
    "rows of a PostgreSQL query."
)

File = Annotated[
    Path | None,
    typer.Argument(help="CSV with a header, or .jsonl, both also with .gz; or .parquet."),
]
Query = Annotated[
    str | None,
    typer.Option(
        help="SELECT whose rows are imported instead of a file. With an ORDER BY over something "
        "unique, which later rows only follow, a broken import is resumed."
    ),
]
Dsn = Annotated[
    str | None,
    typer.Option(envvar="HARKEN_IMPORT_DSN", help="PostgreSQL that --query runs on."),
]
Delimiter = Annotated[
    str | None, typer.Option(help="Delimiter of CSV; default: found in the header.")
]
Restart = Annotated[bool, typer.Option("--restart", help="Start over instead of resuming.")]
UserColumn = Annotated[str | None, typer.Option(help="Column of user ids.")]
ItemColumn = Annotated[str | None, typer.Option(help="Column of item ids.")]


@app.command("events")
@with_suite_options
def import_events(
    file: File = None,
    query: Query = None,
    dsn: Dsn = None,
    user_column: UserColumn = None,
    session_column: Annotated[str | None, typer.Option(help="Column of session ids.")] = None,
    item_column: ItemColumn = None,
    timestamp_column: Annotated[
        str | None, typer.Option(help="Column of times: unix seconds or milliseconds, ISO 8601.")
    ] = None,
    type_column: Annotated[str | None, typer.Option(help="Column of event types.")] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", help="Type of all events, instead of a column.")
    ] = None,
    value_column: Annotated[str | None, typer.Option(help="Column of values.")] = None,
    event_id_column: Annotated[
        str | None, typer.Option(help="Column of event ids; default: made from the content.")
    ] = None,
    start: Annotated[
        float, typer.Option(help="Rows to skip: a number, or a fraction when below 1.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows to take.")] = None,
    create_items: Annotated[
        bool, typer.Option(help="Add items that the catalogue does not know.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until all rankers reflect it.")] = False,
    restart: Restart = False,
    delimiter: Delimiter = None,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Import a history of events. Repeating it is safe: duplicates are recognised."""
    options = EventOptions(
        user_column, session_column, item_column, timestamp_column, type_column, value_column,
        event_id_column, event_type,
    )  # fmt: skip
    started = time.monotonic()
    with clear_failures(), row_source("events", file, query, dsn, delimiter) as source:
        endpoints = suite.endpoints()
        columns = event_columns(source.rows.columns, options)
        total = source.rows.count_rows()
        first = _start(start, total)
        last = total if limit is None else min(total, first + limit)
        # What is read of a source that grows does not depend on how long it is by now.
        end = limit if source.grows else last
        state = _state(
            suite.folder, "events", tenant, source, repr(columns), restart, f"{first}-{end}"
        )

        def rows() -> Iterator[EventRow]:
            return itertools.islice(event_rows(source.rows.rows(), columns), first, last)

        async def work() -> ImportSummary:
            async with connect(endpoints) as clients:
                job = EventImport(
                    clients, tenant, lambda keep: RejectsFile(source.rejects_beside, keep), state,
                    create_items,
                )  # fmt: skip
                with progress_bar(f"events of {source.name}", last - first) as progress:
                    summary = await job.run(rows, lambda row: progress(row - first))
                if wait:
                    await wait_for_rankers(clients, tenant, summary.position)
                return summary

        summary = run(work())
        _print_events(source, summary, last - first, time.monotonic() - started)


@app.command("items")
@with_suite_options
def import_items(
    file: File = None,
    query: Query = None,
    dsn: Dsn = None,
    item_column: ItemColumn = None,
    title_column: Annotated[str | None, typer.Option(help="Column of titles.")] = None,
    description_column: Annotated[str | None, typer.Option(help="Column of descriptions.")] = None,
    categories_column: Annotated[str | None, typer.Option(help="Column of categories.")] = None,
    tags_column: Annotated[str | None, typer.Option(help="Column of tags.")] = None,
    number: Annotated[
        list[str] | None,
        typer.Option(help="Column of numbers; may be repeated. Default: year, price and such."),
    ] = None,
    separator: Annotated[
        str, typer.Option(help="What separates categories and tags; ' ' means any white space.")
    ] = "|",
    restart: Restart = False,
    delimiter: Delimiter = None,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Import items into the catalogue; those that exist are updated."""
    options = ItemOptions(
        item_column, title_column, description_column, categories_column, tags_column, number,
        separator,
    )  # fmt: skip
    started = time.monotonic()
    with clear_failures(), row_source("items", file, query, dsn, delimiter) as source:
        endpoints = suite.endpoints()
        columns = item_columns(source.rows.columns, options)
        total = source.rows.count_rows()
        state = _state(suite.folder, "items", tenant, source, repr(columns), restart)

        async def work() -> RowSummary:
            async with connect(endpoints) as clients:
                target = item_target(clients.catalog, tenant, columns)
                return await _import(source, target, state, total)

        _print_rows(source, run(work()), total, time.monotonic() - started)


@app.command("users")
@with_suite_options
def import_users(
    file: File = None,
    query: Query = None,
    dsn: Dsn = None,
    user_column: UserColumn = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Column that becomes an attribute; may be repeated. Default: all."),
    ] = None,
    restart: Restart = False,
    delimiter: Delimiter = None,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Set attributes of users; what they had before is replaced."""
    started = time.monotonic()
    with clear_failures(), row_source("users", file, query, dsn, delimiter) as source:
        endpoints = suite.endpoints()
        columns = user_columns(source.rows.columns, user_column, attribute)
        total = source.rows.count_rows()
        state = _state(suite.folder, "users", tenant, source, repr(columns), restart)

        async def work() -> RowSummary:
            async with connect(endpoints) as clients:
                target = user_target(clients.profile, tenant, columns)
                return await _import(source, target, state, total)

        _print_rows(source, run(work()), total, time.monotonic() - started)


async def _import(
    source: RowSource, target: RowTarget, state: ImportStateFile | None, total: int
) -> RowSummary:
    with progress_bar(source.name, total) as progress:
        return await import_rows(
            source.rows.rows,
            target,
            lambda keep: RejectsFile(source.rejects_beside, keep),
            state,
            progress,
        )


def _state(
    folder: Path,
    kind: str,
    tenant: str,
    source: RowSource,
    columns: str,
    restart: bool,
    *selection: str,
) -> ImportStateFile | None:
    """Return where progress is kept; None for rows whose order is another one each time."""
    if not source.resumable:
        messages().print("the query has no ORDER BY: a broken import starts over")
        return None
    state = ImportStateFile(folder, kind, tenant, source.rows.fingerprint(), columns, *selection)
    if restart:
        state.clear()
    return state


def _start(start: float, total: int) -> int:
    try:
        return start_row(start, total)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _print_events(source: RowSource, summary: ImportSummary, rows: int, seconds: float) -> None:
    table = Table(
        "rows", "accepted", "duplicates", "rejected", "items created", "seconds", "rows/s"
    )
    done = rows - max(0, summary.resumed_after_row)
    table.add_row(
        f"{rows:,}", f"{summary.accepted:,}", f"{summary.duplicates:,}", f"{summary.rejected:,}",
        f"{summary.items_created:,}", f"{seconds:.1f}", f"{max(0, done) / max(seconds, 1e-9):,.0f}",
    )  # fmt: skip
    output().print(table)
    _print_notes(source, summary.rejected, summary.resumed_after_row)
    if summary.position:
        output().print(f"position {summary.position.hex()}")


def _print_rows(source: RowSource, summary: RowSummary, rows: int, seconds: float) -> None:
    outcomes = sorted(summary.outcomes)
    table = Table("rows", *outcomes, "rejected", "seconds")
    counts = [f"{summary.outcomes[name]:,}" for name in outcomes]
    table.add_row(f"{rows:,}", *counts, f"{summary.rejected:,}", f"{seconds:.1f}")
    output().print(table)
    _print_notes(source, summary.rejected, summary.resumed_after_row)


def _print_notes(source: RowSource, rejected: int, resumed_after: int) -> None:
    if resumed_after:
        output().print(f"resumed after row {resumed_after:,} (--restart starts over)")
    if rejected:
        path = escape(f"{source.rejects_beside}.rejects.jsonl")
        output().print(f"[yellow]{rejected:,} rows were not taken; see {path}[/]")
