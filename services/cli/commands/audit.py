"""`harken audit head|list|verify`: who did what, and whether that was changed afterwards."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from services.cli.audit_rows import SCHEMAS, check, head, newest
from services.cli.backup.store_dsns import FeedbackDsn, ProfileDsn, store_dsns
from services.cli.console import output
from services.cli.failures import CommandError, clear_failures, run
from services.cli.item_view import plain_text
from services.cli.options import DEFAULT_FOLDER, Folder
from services.common.access.principal import SCHEME
from services.common.audit.chain import Head, Link

app = typer.Typer(help="Administrative calls: who made them, and how they ended.")
_HEAD = re.compile(r"(feedback|profile):(\d{1,18}):([0-9a-f]{64})")


@app.command("head")
def show_head(
    feedback_dsn: FeedbackDsn = "", profile_dsn: ProfileDsn = "", folder: Folder = DEFAULT_FOLDER
) -> None:
    """Print how far each log reaches: keep it elsewhere, and give it to `verify` one day."""
    with clear_failures(), store_dsns(folder, feedback_dsn, profile_dsn) as dsns:
        for schema in SCHEMAS:
            typer.echo(_written(schema, run(head(dsns, schema))))


@app.command("list")
def list_entries(
    last: Annotated[int, typer.Option(min=1, help="Of each log so many, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    feedback_dsn: FeedbackDsn = "",
    profile_dsn: ProfileDsn = "",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Print the newest entries of both logs, in order of time."""
    with clear_failures(), store_dsns(folder, feedback_dsn, profile_dsn) as dsns:
        found = [(schema, row) for schema in SCHEMAS for row in run(newest(dsns, schema, last))]
    found.sort(key=lambda one: one[1].at_us)
    if as_json:
        for schema, row in found:
            typer.echo(json.dumps({"log": schema, "sequence": row.sequence, "time": _time(row),
                                   **_fields(row)}))  # fmt: skip
        return
    table = Table(box=SIMPLE_HEAD)
    for name in ("log", "time", "phase", "rpc"):
        table.add_column(name, no_wrap=True)
    for name in ("caller", "tenant", "about", "status"):
        table.add_column(name, overflow="fold")
    for schema, row in found:
        fields = _fields(row)
        table.add_row(
            f"{schema}:{row.sequence}", _time(row)[:19], *(plain_text(text) for text in (
                str(fields.get("phase", "?")), str(fields.get("rpc", "")).rpartition(".")[2],
                _caller(fields),
                str(fields.get("tenant", "")), _about(fields),
                f"{fields.get('code', '')} {fields.get('reason', '')}".strip(),
            ))
        )  # fmt: skip
    output().print(table)


@app.command()
def verify(
    known: Annotated[
        list[str] | None,
        typer.Option("--head", help="What `harken audit head` said before; may be repeated."),
    ] = None,
    feedback_dsn: FeedbackDsn = "",
    profile_dsn: ProfileDsn = "",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Check that no row of the logs was changed, taken away or put in between.

    Rows at the end that were cut off, and a log that was written anew from some row on, show only
    against a head that was kept. Exit code 0: all is as it was written. Exit code 1: it is not, and
    the output names the first row that is wrong.
    """
    is_wrong = False
    with clear_failures(), store_dsns(folder, feedback_dsn, profile_dsn) as dsns:
        heads = [_read(text) for text in known or ()]
        for schema in SCHEMAS:
            own = [one for of, one in heads if of == schema]
            reached, fault = run(check(dsns, schema, own))
            output().print(f"{schema}: {reached.sequence:,} rows are as they were written")
            if fault is not None:
                is_wrong = True
                output().print(
                    f"[bold red]WRONG:[/] row {schema}:{fault.sequence} {escape(fault.what)}"
                )
    if is_wrong:
        raise typer.Exit(1)


def _written(schema: str, reached: Head) -> str:
    return f"{schema}:{reached.sequence}:{reached.hash.hex()}"


def _read(text: str) -> tuple[str, Head]:
    found = _HEAD.fullmatch(text)
    if found is None:
        raise CommandError(f"{text}: a head is as `harken audit head` prints it, log:number:hash")
    return found[1], Head(int(found[2]), bytes.fromhex(found[3]))


def _fields(row: Link) -> dict[str, Any]:
    """Return the fields of an entry; none where it is not what we write."""
    try:
        found = json.loads(row.entry)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _caller(fields: dict[str, Any]) -> str:
    name = str(fields.get("caller", ""))
    if name.startswith(SCHEME):
        return name.removeprefix(SCHEME)
    return f"{fields.get('kind', '')} {name}".strip()


def _about(fields: dict[str, Any]) -> str:
    resources = fields.get("resources")
    named = [str(one) for one in resources] if isinstance(resources, list) else []
    count = fields.get("resource_count")
    left_out = count - len(named) if isinstance(count, int) else 0
    return ", ".join(named) + (f" and {left_out} more" if named and left_out > 0 else "")


def _time(row: Link) -> str:
    return datetime.fromtimestamp(row.at_us / 1e6, UTC).isoformat(timespec="microseconds")
