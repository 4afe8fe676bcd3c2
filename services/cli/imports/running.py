"""How imports of all kinds run: options, rejects, state, what is known before anything is sent."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import messages
from services.cli.failures import CommandError
from services.cli.imports.counts import RejectLimit, reject_limit
from services.cli.imports.import_state import ImportStateFile
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.row_import import RowSummary, RowTarget, Thing, import_rows
from services.cli.progress_bar import counting_line, progress_bar
from services.cli.reading import rejects_beside
from services.dataset.faults import FaultyRow
from services.dataset.fields.item_fields import ItemFields, unused_columns
from services.dataset.table.table import Table

_SHOWN_COLUMNS = 10


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


class Rejects:
    """Where rejects go; `last` is the file that was opened last."""

    def __init__(self, path: Path, fallback: Path) -> None:
        self._path = path
        self._fallback = fallback
        self.last = RejectsFile(path, fallback)

    def opened(self, keep_bytes: int) -> RejectsFile:
        """Return the file to write to, of which so many bytes stay."""
        self.last = RejectsFile(self._path, self._fallback, keep_bytes)
        return self.last


def rejects_of(
    kind: str, files: Sequence[str] | None, table: Table, given: Path | None, folder: Path
) -> Rejects:
    """Return where rejects go: as given, or beside the source; if that fails, in `folder`.

    Raises:
        CommandError: that is a file of the source, which rejects would take the place of.

    """
    beside = rejects_beside(kind, files)
    path = given or beside
    if path.exists() and any(path.samefile(source) for source in table.paths):
        raise CommandError(f"{path} is read itself: say with --rejects where else rejects go")
    return Rejects(path, folder / "imports" / beside.name)


async def import_table(
    table: Table,
    rows: Callable[[], Iterator[Thing | FaultyRow]],
    target: RowTarget[Thing],
    rejects: Rejects,
    state: ImportStateFile | None,
    total: int,
    limit: RejectLimit,
) -> RowSummary:
    """Import rows that are no events, and show how far it is."""
    with progress_bar(table.name, total) as progress:
        return await import_rows(rows, target, rejects.opened, state, progress, limit, total)


def counted(rows: Callable[[], Iterator[object]], table: Table, limit: RejectLimit) -> int:
    """Return how many rows there are, before any of them is sent."""
    total, faulty = 0, 0
    with counting_line(f"reading {table.name}") as count:
        for row in rows():
            total += 1
            faulty += isinstance(row, FaultyRow)
            count(total)
    limit.check(faulty, total, sent=False)
    return total


def state_of(
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


def say_unused(table: Table, fields: ItemFields) -> None:
    """Name the columns that are not imported: a title under another name goes in without a word
    otherwise.
    """
    unused = unused_columns(table, fields)
    if unused:
        shown = ", ".join(unused[:_SHOWN_COLUMNS])
        more = f" and {len(unused) - _SHOWN_COLUMNS} more" if len(unused) > _SHOWN_COLUMNS else ""
        messages().print(
            f"note: columns that are not used: {shown}{more} (--title-column, --number and such)",
            style="yellow",
            markup=False,
        )
