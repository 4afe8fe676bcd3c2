"""`harken export`: events, items or users as a file that `harken import` reads back; slates."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.clients import connect
from services.cli.console import output
from services.cli.endpoints import Endpoints
from services.cli.exports.event_export import export_events
from services.cli.exports.list_export import export_items, export_users
from services.cli.exports.slate_export import export_slates
from services.cli.failures import CommandError, clear_failures, run
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.dataset.log_export import LogExportError


class ExportKind(Enum):
    """What is written."""

    EVENTS = "events"
    ITEMS = "items"
    USERS = "users"
    SLATES = "slates"


@with_suite_options
def export(
    file: Annotated[
        Path,
        typer.Argument(
            help="File to write: .csv or .jsonl, gzipped when .gz follows, or .parquet."
        ),
    ],
    kind: Annotated[ExportKind, typer.Option(help="What to write.")] = ExportKind.EVENTS,
    tenant: Tenant = "default",
    window: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Of slates: seconds after a slate was logged in which events count for it. "
            "Default: as the service attributes them.",
            show_default=False,
        ),
    ] = None,
    for_learning: Annotated[
        bool,
        typer.Option(
            "--for-learning",
            help="Of events: leave out also those of users who deny that others learn from them. "
            "For what is trained on.",
        ),
    ] = False,
    *,
    suite: SuiteOptions,
) -> None:
    """Write events, items or users to a file, which imported again changes nothing; or slates.

    Events: all that stand (retracted ones are left out), in order of time, with their ids, slates
    and contexts. Items: all fields. Users: attributes, also those of sessions. Texts are as they
    are, lists and maps are JSON, times RFC 3339 in UTC. Events are sorted on disk, in the folder of
    the file. Slates: what was shown, with propensities, candidates and what came of it, for
    `harken evaluate --off-policy`.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        if kind is ExportKind.EVENTS:
            _export_events(endpoints, tenant, file, for_learning)
            return
        if kind is ExportKind.SLATES:
            _export_slates(endpoints, tenant, file, window)
            return
    run(_export_list(endpoints, kind, tenant, file))


def _export_events(endpoints: Endpoints, tenant: str, file: Path, for_learning: bool) -> None:
    try:
        done = export_events(
            endpoints.feedback, tenant, file, endpoints.identity, for_learning=for_learning
        )
    except LogExportError as error:
        raise CommandError(str(error)) from None
    output().print(
        f"{done.events:,} events, up to log sequence {done.through_sequence}"
        f"{_without(done.left_out)}"
    )


def _export_slates(endpoints: Endpoints, tenant: str, file: Path, window: float | None) -> None:
    try:
        count, left_out = export_slates(
            endpoints.feedback, tenant, file, window, endpoints.identity
        )
    except LogExportError as error:
        raise CommandError(str(error)) from None
    output().print(f"{count:,} slates{_without(left_out)}")


def _without(left_out: int) -> str:
    """Return what a summary says of what users deny to have exported."""
    return f"; {left_out:,} left out, as their users deny exports" if left_out else ""


async def _export_list(endpoints: Endpoints, kind: ExportKind, tenant: str, file: Path) -> None:
    write = export_items if kind is ExportKind.ITEMS else export_users
    async with connect(endpoints) as clients:
        output().print(f"{await write(clients, tenant, file):,} {kind.value}")
