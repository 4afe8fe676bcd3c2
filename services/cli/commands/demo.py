"""`harken demo`: the loop closed, on real data, before your eyes."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.cli.catch_up import wait_for_rankers
from services.cli.clients import Clients, connect
from services.cli.commands.up import event_time_environment, print_addresses, serve
from services.cli.console import messages, output
from services.cli.demo.data import DemoData, find_data
from services.cli.demo.stage import stage
from services.cli.failures import CommandError, clear_failures, run
from services.cli.imports.import_state import ImportStateFile
from services.cli.imports.item_rows import item_columns
from services.cli.imports.item_target import item_target
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.row_import import import_rows
from services.cli.imports.user_rows import user_columns
from services.cli.imports.user_target import user_target
from services.cli.interrupts import signals_interrupt
from services.cli.local_suite import local_suite
from services.cli.options import DEFAULT_FOLDER
from services.cli.progress_bar import progress_bar
from services.cli.replay.report import report
from services.cli.replay.run import Replay
from services.cli.replay.source import ReplaySource, read_history
from services.cli.replay.warm_up import warm_up
from services.cli.slate_view import items_by_id
from services.cli.suite import Suite, SuiteConfig

_START = 0.8
_TENANT = "default"

_PYTHON = """\
import grpc
from harken.common.v1.subject_pb2 import Subject
from harken.ranker.v1.ranker_service_pb2 import RecommendRequest
from harken.ranker.v1.ranker_service_pb2_grpc import RankerServiceStub

with grpc.insecure_channel("{ranker}") as channel:
    slate = RankerServiceStub(channel).Recommend(
        RecommendRequest(subject=Subject(user_id="{user}"), count=5)
    )
for slot in slate.slots:
    print(slot.item_id, round(slot.score, 3), [source.source for source in slot.sources])
"""


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Folder with events.csv(.gz) and items.csv.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep serving afterwards.")] = False,
    events: Annotated[int, typer.Option(min=1, help="Real events to stream.")] = 3000,
    rankers: Annotated[int, typer.Option(min=1, max=32, help="Number of rankers.")] = 1,
) -> None:
    """Bring a suite up, import 80% of a history, stream what came next, and show what it does."""
    console = messages()

    def say(what: str) -> None:
        console.print(f"[dim]{escape(what)}[/]")

    with clear_failures(), signals_interrupt(), contextlib.ExitStack() as stack:
        try:
            DEFAULT_FOLDER.mkdir(exist_ok=True)
            # Deleted after the suite has stopped, however the demo ends.
            folder = Path(tempfile.mkdtemp(prefix="demo-", dir=DEFAULT_FOLDER))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            found = find_data(data, DEFAULT_FOLDER / "cache", say)
            say(f"data: {found.origin}")
            config = SuiteConfig(
                folder, "", "", rankers, "media", environment=event_time_environment(True)
            )
            with local_suite(config, say) as suite:
                user = run(_play(suite, found, events))
                if keep:
                    _print_invitation(suite, folder, user)
                    serve(suite)
        except KeyboardInterrupt:
            say("stopped")


async def _play(suite: Suite, data: DemoData, events: int) -> str:
    """Play the demo; return the last user of it."""
    started = time.monotonic()
    try:
        source = read_history(data.events, data.event_options, _START, events)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if not source.split.after:
        raise CommandError(f"{data.events.path} has too few events")
    async with connect(suite.endpoints) as clients:
        await _import(clients, suite.folder, data)
        summary = await warm_up(clients, _TENANT, source, suite.folder / "history", False)
        await wait_for_rankers(clients, _TENANT, summary.position)
        output().print(
            f"{summary.accepted:,} events learned in {time.monotonic() - started:.0f} s; "
            f"{summary.rejected:,} not taken"
        )
        await _stream(clients, source, summary.position)
    return source.subject_of(source.split.after[-1]).user_id


async def _import(clients: Clients, folder: Path, data: DemoData) -> None:
    columns = item_columns(data.items.columns, data.item_options)
    with progress_bar("items", data.items.count_rows()) as progress:
        await import_rows(
            data.items.rows,
            item_target(clients.catalog, _TENANT, columns),
            lambda keep: RejectsFile(folder / "items", keep),
            ImportStateFile(folder, "items"),
            progress,
        )
    if data.users is None:
        return
    with progress_bar("users", data.users.count_rows()) as progress:
        await import_rows(
            data.users.rows,
            user_target(clients.profile, _TENANT, user_columns(data.users.columns, None, None)),
            lambda keep: RejectsFile(folder / "users", keep),
            ImportStateFile(folder, "users"),
            progress,
        )


async def _stream(clients: Clients, source: ReplaySource, position: bytes) -> None:
    items = await items_by_id(clients, _TENANT, (event.item_id for event in source.events.values()))
    job = Replay(clients, _TENANT, source)
    await job.freeze(position)
    with stage(job.comparison, items, len(source.split.after)) as show:
        async for step in job.run():
            show(step)
    output().print(report(job.result()))
    output().print(
        "full: everything learns from every event; frozen_state: nothing after the split is seen."
    )


def _print_invitation(suite: Suite, folder: Path, user: str) -> None:
    print_addresses(suite)
    console = output()
    console.print(f"\n[bold]harken recommend {escape(user)} --folder {folder}[/]\n")
    console.print(_PYTHON.format(ranker=suite.endpoints.rankers[0], user=user), markup=False)
