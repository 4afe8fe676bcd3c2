"""`harken import events|items|users`: files, or the rows of a query, into a suite."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from services.cli.catch_up import wait_for_rankers
from services.cli.clients import connect
from services.cli.failures import clear_failures, run
from services.cli.imports.event_chunk import CHUNK_EVENTS
from services.cli.imports.event_import import EventImport, History, ImportSummary
from services.cli.imports.history_survey import looked_through, rows_of, say_times, window_of
from services.cli.imports.item_target import item_target
from services.cli.imports.outcome import Outcome, show
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.replacement import SAFE_SHARE, Gone, item_id_of, replace_catalogue
from services.cli.imports.row_import import RowSummary
from services.cli.imports.running import (
    Run,
    counted,
    import_table,
    rejects_of,
    say_unused,
    state_of,
)
from services.cli.imports.user_target import user_target
from services.cli.options import SuiteOptions, Tenant, with_options
from services.cli.progress_bar import progress_bar
from services.cli.reading import (
    EventMapping,
    Files,
    ItemMapping,
    Reading,
    opened_events,
    opened_items,
    opened_users,
    say_notes,
)
from services.dataset.faults import FaultyRow
from services.dataset.fields.event_fields import event_fields
from services.dataset.fields.item_fields import ItemReader, ItemRow, item_fields
from services.dataset.fields.user_fields import UserReader, user_fields
from services.dataset.history.event_batch import EventReader
from services.dataset.history.ordered import OrderedEvents

app = typer.Typer(
    help="Import into a suite: CSV or TSV, JSON lines or an array, Parquet, packed or not, in "
    "files, folders or on standard input; or the rows of a PostgreSQL query."
)


@app.command("events")
@with_options(reading=Reading, mapping=EventMapping, how=Run, suite=SuiteOptions)
def import_events(
    files: Files = None,
    start: Annotated[
        float,
        typer.Option(
            help="Events to skip, in order of time: a number, or a fraction when below 1."
        ),
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Events to take.")] = None,
    create_items: Annotated[
        bool, typer.Option(help="Add items that the catalogue does not know.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until all rankers reflect it.")] = False,
    tenant: Tenant = "default",
    *,
    reading: Reading,
    mapping: EventMapping,
    how: Run,
    suite: SuiteOptions,
) -> None:
    """Import a history of events, in order of time. Repeating it is safe.

    A source that is not in order of time is sorted on disk first. Rows that cannot be read are
    rejected one by one, with line, column, reason and value; those that the suite takes aside
    (unknown items or types, values out of range, times of the future) are quarantined. The exit
    code is 0 all the same, unless --max-rejects says otherwise.
    """
    started = time.monotonic()
    with (
        clear_failures(),
        opened_events(files, reading, mapping) as (table, options),
        tempfile.TemporaryDirectory(prefix="harken-import-") as scratch,
    ):
        endpoints = suite.endpoints()
        allowed = how.limit()
        reader = EventReader(table, event_fields(table, options))
        ordered = OrderedEvents(reader, Path(scratch))
        survey = looked_through(table, ordered)
        say_notes(table)
        say_times(reader, survey)
        allowed.check(sum(survey.rejected.values()), survey.rows, sent=False)
        window = window_of(start, limit, survey)
        # What is read of a source that grows does not depend on how long it is by now.
        end = limit if table.grows else window.end
        state = state_of(
            suite.folder, "events", tenant, table, repr(reader.fields), how.restart,
            f"{window.first}-{end}-{survey.ordered}-{create_items}-{CHUNK_EVENTS}",
        )  # fmt: skip
        rejects = rejects_of("events", files, table, how.rejects, suite.folder)

        async def work() -> tuple[ImportSummary, RejectsFile]:
            async with connect(endpoints) as clients:
                job = EventImport(clients, tenant, rejects.opened, state, create_items,
                                  limit=allowed)  # fmt: skip
                history = History(ordered.batches, reader.fields, window, survey.rows)
                with progress_bar(f"events of {table.name}", rows_of(window, survey)) as progress:
                    summary = await job.run(history, progress)
                if wait:
                    await wait_for_rankers(clients, tenant, summary.position)
                return summary, rejects.last

        summary, file = run(work())
        columns = ("accepted", "duplicates", "quarantined", "rejected")
        more = ("created",) if create_items else ()
        show(
            Outcome(summary.counts, (*columns, *more), time.monotonic() - started,
                    summary.resumed_after_row, file, summary.position),
            how.as_json,
        )  # fmt: skip


@app.command("items")
@with_options(reading=Reading, mapping=ItemMapping, how=Run, suite=SuiteOptions)
def import_items(
    files: Files = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="The source is the whole catalogue: items that are not in it are hidden.",
        ),
    ] = False,
    gone: Annotated[
        Gone, typer.Option(help="With --replace: what becomes of items that are not in it.")
    ] = Gone.HIDE,
    yes: Annotated[
        bool,
        typer.Option("--yes", help=f"Also when more than {SAFE_SHARE:.0%} of the items would go."),
    ] = False,
    tenant: Tenant = "default",
    *,
    reading: Reading,
    mapping: ItemMapping,
    how: Run,
    suite: SuiteOptions,
) -> None:
    """Create and update items of the catalogue: of each only the fields that the source has.

    A column that is not there leaves the field as it is, an empty cell clears it (but for times of
    release, which stay). In JSON lines that holds for each line. So a file of ids and stock hides
    and shows items, and touches nothing else; what was hidden or expired otherwise stays so. With
    --replace, what the source does not name is hidden, or deleted with --gone delete.
    """
    started = time.monotonic()
    with clear_failures(), opened_items(files, reading, mapping) as (table, options):
        endpoints = suite.endpoints()
        allowed = how.limit()
        fields = item_fields(table, options)
        reader = ItemReader(table, fields)
        say_unused(table, fields)
        named: set[str] = set()

        def rows() -> Iterator[ItemRow | FaultyRow]:
            for row in reader.rows():
                if replace:
                    named.add(item_id_of(row, fields.item))
                yield row

        total = counted(rows, table, allowed)
        state = state_of(suite.folder, "items", tenant, table, repr(fields), how.restart)
        rejects = rejects_of("items", files, table, how.rejects, suite.folder)

        async def work() -> tuple[RowSummary, RejectsFile]:
            async with connect(endpoints) as clients:
                summary = await import_table(
                    table, reader.rows, item_target(clients.catalog, tenant, fields), rejects,
                    state, total, allowed,
                )  # fmt: skip
                if replace:
                    await replace_catalogue(clients, tenant, named, gone, yes)
                return summary, rejects.last

        summary, file = run(work())
        say_notes(table)
        show(
            Outcome(summary.counts, ("created", "updated", "unchanged", "rejected"),
                    time.monotonic() - started, summary.resumed_after_row, file),
            how.as_json,
        )  # fmt: skip


@app.command("users")
@with_options(reading=Reading, how=Run, suite=SuiteOptions)
def import_users(
    files: Files = None,
    user_column: Annotated[str | None, typer.Option(help="Column of user ids.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Column that becomes an attribute; may be repeated. Default: all."),
    ] = None,
    tenant: Tenant = "default",
    *,
    reading: Reading,
    how: Run,
    suite: SuiteOptions,
) -> None:
    """Set attributes of users: those that the source has columns for; others stay as they are.

    An empty cell removes the attribute. An attribute is a number where all cells of its column are
    numbers, and text otherwise.
    """
    started = time.monotonic()
    with clear_failures(), opened_users(files, reading) as (table, ids):
        endpoints = suite.endpoints()
        allowed = how.limit()
        fields = user_fields(table, user_column or ids, attribute)
        reader = UserReader(table, fields)
        total = counted(reader.rows, table, allowed)
        state = state_of(suite.folder, "users", tenant, table, repr(fields), how.restart)
        rejects = rejects_of("users", files, table, how.rejects, suite.folder)

        async def work() -> tuple[RowSummary, RejectsFile]:
            async with connect(endpoints) as clients:
                summary = await import_table(
                    table, reader.rows, user_target(clients.profile, tenant), rejects, state,
                    total, allowed,
                )  # fmt: skip
                return summary, rejects.last

        summary, file = run(work())
        say_notes(table)
        show(
            Outcome(summary.counts, ("updated", "unchanged", "rejected"),
                    time.monotonic() - started, summary.resumed_after_row, file),
            how.as_json,
        )  # fmt: skip
