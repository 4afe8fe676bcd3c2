"""`harken demo`: the loop closed, on real data, before your eyes."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.cli.clients import Clients, connect
from services.cli.commands.up import event_time_environment, print_addresses, serve
from services.cli.console import messages, output
from services.cli.demo.data import DemoData, find_data
from services.cli.demo.people_and_items import import_people_and_items
from services.cli.demo.stage import stage
from services.cli.failures import CommandError, clear_failures, run
from services.cli.interrupts import signals_interrupt
from services.cli.local_suite import local_suite
from services.cli.options import DEFAULT_FOLDER
from services.cli.replay.report import report
from services.cli.replay.run import Replay
from services.cli.replay.source import ReplaySource, read_history
from services.cli.replay.warm_up import warm_up
from services.cli.slate_view import items_by_id
from services.cli.suite import Suite, SuiteConfig
from services.dataset.table.table import open_table

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
        Path | None,
        typer.Option(help="Folder with events.csv(.gz) and items.csv; default: MovieLens-100k."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep serving afterwards.")] = False,
    events: Annotated[int, typer.Option(min=1, help="Real events to stream.")] = 3000,
    rankers: Annotated[int, typer.Option(min=1, max=32, help="Number of rankers.")] = 1,
) -> None:
    """Start a suite, import 80% of a history, stream what came next, and show what changes."""
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
        with open_table(data.events) as table:
            source = read_history(table, data.event_options, _START, events)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if not source.split.after:
        raise CommandError(f"{data.events.files[0]} has too few events")
    async with connect(suite.endpoints) as clients:
        await import_people_and_items(clients, _TENANT, data, suite.folder)
        summary = await warm_up(
            clients, _TENANT, source, suite.folder / "history.rejects.jsonl", False
        )
        output().print(
            f"{summary.counts.accepted:,} events learned in {time.monotonic() - started:.0f} s; "
            f"{summary.counts.not_taken:,} not taken"
        )
        output().print(
            f"A slice of {len(source.split.after):,} events: its ratio varies from slice to slice; "
            "the measured figure is that of `harken replay` over the whole last 20%."
        )
        await _stream(clients, source, summary.position)
    return source.subject_of(source.split.after[-1]).user_id


async def _stream(clients: Clients, source: ReplaySource, position: bytes) -> None:
    items = await items_by_id(clients, _TENANT, source.events.items)
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
