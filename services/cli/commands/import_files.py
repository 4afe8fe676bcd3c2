"""`harken import events|items|users`: files, or the rows of a query, into a suite."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.cli.catch_up import wait_for_rankers
from services.cli.clients import Clients, connect
from services.cli.console import messages
from services.cli.failures import CommandError, clear_failures, run
from services.cli.imports.counts import RejectLimit, reject_limit
from services.cli.imports.event_chunk import Window
from services.cli.imports.event_import import EventImport, History, ImportSummary
from services.cli.imports.import_state import ImportStateFile
from services.cli.imports.item_target import item_target
from services.cli.imports.outcome import Outcome, show
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.replacement import SAFE_SHARE, Gone, difference, remove
from services.cli.imports.row_import import RowSummary, RowTarget, Thing, import_rows
from services.cli.imports.user_target import user_target
from services.cli.options import SuiteOptions, Tenant, with_options
from services.cli.progress_bar import counting_line, progress_bar
from services.cli.reading import (
    EventMapping,
    Files,
    ItemMapping,
    Reading,
    opened_events,
    opened_items,
    opened_users,
    rejects_beside,
    say_notes,
)
from services.dataset.faults import FaultyRow
from services.dataset.fields.event_fields import event_fields
from services.dataset.fields.item_fields import ItemReader, ItemRow, item_fields
from services.dataset.fields.user_fields import UserReader, user_fields
from services.dataset.history.event_batch import EventReader
from services.dataset.history.ordered import OrderedEvents, Survey
from services.dataset.table.table import Table
from services.evaluation.history import start_row

app = typer.Typer(
    help="Import into a suite: CSV or TSV, JSON lines or an array, Parquet, packed or not, in "
    "files, folders or on standard input; or the rows of a PostgreSQL query."
)

_SHOWN_GONE = 10


@dataclass(frozen=True, slots=True)
class Run:
    """How an import runs, and what it says."""

    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rows go that are not taken; default: FILE.rejects.jsonl."),
    ] = None
    max_rejects: Annotated[
        str | None,
        typer.Option(
            help="Fail when more rows than that are not taken: a number, or a share such as 5%. "
            "Default: any number may be."
        ),
    ] = None
    restart: Annotated[bool, typer.Option("--restart", help="Start over instead of resuming.")] = (
        False
    )
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object with all counts as the last line.")
    ] = False

    def limit(self) -> RejectLimit:
        """Return how many rows may not be taken."""
        return reject_limit(self.max_rejects)


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
        survey = _looked_through(table, ordered)
        say_notes(table)
        _say_times(reader, survey)
        allowed.check(sum(survey.rejected.values()), survey.rows, sent=False)
        window = _window(start, limit, survey)
        # What is read of a source that grows does not depend on how long it is by now.
        end = limit if table.grows else window.end
        state = _state(
            suite.folder, "events", tenant, table, repr(reader.fields), how.restart,
            f"{window.first}-{end}-{survey.ordered}",
        )  # fmt: skip
        rejects = _rejects("events", files, how.rejects, suite.folder)

        async def work() -> tuple[ImportSummary, RejectsFile]:
            async with connect(endpoints) as clients:
                job = EventImport(clients, tenant, rejects.opened, state, create_items,
                                  limit=allowed)  # fmt: skip
                history = History(ordered.batches, reader.fields, window, survey.rows)
                with progress_bar(f"events of {table.name}", _rows_of(window, survey)) as progress:
                    summary = await job.run(history, progress)
                if wait:
                    await wait_for_rankers(clients, tenant, summary.position)
                return summary, rejects.last

        summary, file = run(work())
        columns = ("accepted", "duplicates", "quarantined", "rejected")
        more = ("created",) if create_items else ()
        show(
            Outcome(summary.counts, (*columns, *more), time.monotonic() - started,
                    summary.resumed_after_row, file.path, summary.position),
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
        named: set[str] = set()

        def rows() -> Iterator[ItemRow | FaultyRow]:
            for row in reader.rows():
                if replace:
                    named.add(_item_id(row, fields.item))
                yield row

        total = _counted(rows, table, allowed)
        state = _state(suite.folder, "items", tenant, table, repr(fields), how.restart)
        rejects = _rejects("items", files, how.rejects, suite.folder)

        async def work() -> tuple[RowSummary, RejectsFile]:
            async with connect(endpoints) as clients:
                summary = await _import(
                    table, reader.rows, item_target(clients.catalog, tenant, fields), rejects,
                    state, total, allowed,
                )  # fmt: skip
                if replace:
                    await _replace(clients, tenant, named, gone, yes)
                return summary, rejects.last

        summary, file = run(work())
        say_notes(table)
        show(
            Outcome(summary.counts, ("created", "updated", "unchanged", "rejected"),
                    time.monotonic() - started, summary.resumed_after_row, file.path),
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
        total = _counted(reader.rows, table, allowed)
        state = _state(suite.folder, "users", tenant, table, repr(fields), how.restart)
        rejects = _rejects("users", files, how.rejects, suite.folder)

        async def work() -> tuple[RowSummary, RejectsFile]:
            async with connect(endpoints) as clients:
                summary = await _import(
                    table, reader.rows, user_target(clients.profile, tenant), rejects, state,
                    total, allowed,
                )  # fmt: skip
                return summary, rejects.last

        summary, file = run(work())
        say_notes(table)
        show(
            Outcome(summary.counts, ("updated", "unchanged", "rejected"),
                    time.monotonic() - started, summary.resumed_after_row, file.path),
            how.as_json,
        )  # fmt: skip


class _Rejects:
    """Where rejects go; `last` is the file that was opened last."""

    def __init__(self, path: Path, fallback: Path) -> None:
        self._path = path
        self._fallback = fallback
        self.last = RejectsFile(path, fallback)

    def opened(self, keep_bytes: int) -> RejectsFile:
        self.last = RejectsFile(self._path, self._fallback, keep_bytes)
        return self.last


def _rejects(kind: str, files: Sequence[str] | None, given: Path | None, folder: Path) -> _Rejects:
    beside = rejects_beside(kind, files)
    return _Rejects(given or beside, folder / "imports" / beside.name)


async def _import(
    table: Table,
    rows: Callable[[], Iterator[Thing | FaultyRow]],
    target: RowTarget[Thing],
    rejects: _Rejects,
    state: ImportStateFile | None,
    total: int,
    limit: RejectLimit,
) -> RowSummary:
    with progress_bar(table.name, total) as progress:
        return await import_rows(rows, target, rejects.opened, state, progress, limit, total)


def _counted(rows: Callable[[], Iterator[object]], table: Table, limit: RejectLimit) -> int:
    """Return how many rows there are, before any of them is sent."""
    total, faulty = 0, 0
    with counting_line(f"reading {table.name}") as count:
        for row in rows():
            total += 1
            faulty += isinstance(row, FaultyRow)
            count(total)
    limit.check(faulty, total, sent=False)
    return total


def _item_id(row: ItemRow | FaultyRow, column: str) -> str:
    """Return the id of a row, also of one that is faulty elsewhere; "" when it has none."""
    if isinstance(row, FaultyRow):
        cell = row.cells.get(column)
        return str(cell).strip() if isinstance(cell, str | int) else ""
    return row.content.item_id


async def _replace(clients: Clients, tenant: str, named: set[str], gone: Gone, yes: bool) -> None:
    found = await difference(clients, tenant, named - {""}, gone)
    console = messages()
    if "" in named and found.gone and not yes:
        raise CommandError(
            "rows were rejected whose item cannot be read, so it is not known what is gone: mend "
            "them, or say --yes (the other rows are imported)"
        )
    if found.hidden:
        console.print(
            f"{len(found.hidden):,} items of the source are hidden, and stay so "
            f"(harken items unhide): {', '.join(found.hidden[:_SHOWN_GONE])}",
            markup=False,
        )
    if not found.gone:
        return
    what = "deleted" if gone is Gone.DELETE else "hidden"
    console.print(f"not in the source, {what}: {len(found.gone):,} of {found.total:,} items")
    for item_id, title in found.gone[:_SHOWN_GONE]:
        console.print(f"  {escape(item_id)}  [dim]{escape(title)}[/]")
    if len(found.gone) > _SHOWN_GONE:
        console.print(f"  and {len(found.gone) - _SHOWN_GONE:,} more")
    if found.share > SAFE_SHARE and not yes:
        raise CommandError(
            f"that is {found.share:.0%} of the catalogue: nothing was {what}; say --yes when it is "
            "meant (the rows of the source are imported)"
        )
    await remove(clients, tenant, [item_id for item_id, _ in found.gone], gone)


def _looked_through(table: Table, ordered: OrderedEvents) -> Survey:
    with counting_line(f"looking through {table.name}") as count:
        survey = ordered.look_through(count)
    if not survey.ordered:
        messages().print(
            f"{table.name} is not in order of time (row {survey.first_late:,} is older than the "
            "one before): it was sorted",
            markup=False,
        )
    return survey


def _say_times(reader: EventReader, survey: Survey) -> None:
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


def _window(start: float, limit: int | None, survey: Survey) -> Window:
    events = survey.rows - sum(survey.rejected.values())
    try:
        first = start_row(start, events)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return Window(first, None if limit is None else first + limit)


def _rows_of(window: Window, survey: Survey) -> int:
    """Return how many rows an import takes: the events meant, and all that are faulty."""
    faulty = sum(survey.rejected.values())
    events = survey.rows - faulty
    end = events if window.end is None else min(events, window.end)
    return max(0, end - window.first) + faulty


def _state(
    folder: Path,
    kind: str,
    tenant: str,
    table: Table,
    fields: str,
    restart: bool,
    *selection: str,
) -> ImportStateFile | None:
    """Return where progress is kept; None for rows whose order is another one each time."""
    if not table.resumable:
        messages().print("the query has no ORDER BY: a broken import starts over")
        return None
    state = ImportStateFile(folder, kind, tenant, table.fingerprint, fields, *selection)
    if restart:
        state.clear()
    return state
