"""`harken up`: the whole suite on this machine, until Ctrl-C."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from services.cli.console import messages, output
from services.cli.failures import clear_failures
from services.cli.interrupts import signals_interrupt
from services.cli.local_suite import local_suite
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.suite import Kind, Suite, SuiteConfig

_CHECK_SECONDS = 0.5


def up(
    rankers: Annotated[int, typer.Option(min=1, max=32, help="Number of rankers.")] = 1,
    dsn: Annotated[
        str,
        typer.Option(
            envvar="HARKEN_DSN",
            help="PostgreSQL for both services; default: an embedded one in the folder.",
        ),
    ] = "",
    profile_dsn: Annotated[
        str, typer.Option(help="PostgreSQL for profile, when it is not the same.")
    ] = "",
    preset: Annotated[
        str,
        typer.Option(
            help="Event types, and which of them hide an item: shopping, media, social_feed,"
            " education or finance."
        ),
    ] = "shopping",
    any_event_time: Annotated[
        bool,
        typer.Option(help="Let RecordEvents take events of any age, as `harken replay` needs."),
    ] = False,
    split_feedback: Annotated[
        bool, typer.Option(help="Run ingest and learner as two processes.")
    ] = False,
    private: Annotated[
        bool,
        typer.Option(
            help="Store pseudonyms instead of ids, and seal what belongs to users, with keys in the"
            " folder. For a new folder; from then on it is always so."
        ),
    ] = False,
    ephemeral_ports: Annotated[
        bool, typer.Option(help="Take free ports instead of 7401, 7402, 7403...")
    ] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Run everything on this machine until Ctrl-C."""
    config = SuiteConfig(
        folder,
        dsn,
        profile_dsn or dsn,
        rankers,
        preset,
        split_feedback,
        fixed_ports=not ephemeral_ports,
        environment=event_time_environment(any_event_time),
    )
    console = messages()
    with clear_failures(), signals_interrupt():
        try:
            with local_suite(
                config, lambda what: console.print(f"[dim]{what}[/]"), private
            ) as suite:
                print_addresses(suite)
                serve(suite)
        except KeyboardInterrupt:
            console.print("[dim]stopped[/]")


def event_time_environment(any_event_time: bool) -> dict[Kind, dict[str, str]]:
    """Return the settings that let feedback record events of any age."""
    if not any_event_time:
        return {}
    return {"feedback": {"HARKEN_FEEDBACK_MAX_AGE_SECONDS": str(1e11)}}


def serve(suite: Suite) -> None:
    """Watch over a suite until interrupted.

    Raises:
        ProcessFailedError: a process has died.

    """
    while True:
        suite.check()
        time.sleep(_CHECK_SECONDS)


def print_addresses(suite: Suite) -> None:
    """Print where each process listens."""
    table = Table("process", "gRPC", "/metrics", "log", box=SIMPLE_HEAD)
    for name, address in suite.grpc_endpoints.items():
        metrics = suite.metrics_endpoints[name]
        log = _short(suite.processes[name].log_file)
        table.add_row(name, address, metrics, log)
    output().print(table)
    output().print("ready; Ctrl-C stops everything")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
