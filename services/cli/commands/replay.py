"""`harken replay`: a real history through the public RPCs, measured."""

import json
from pathlib import Path
from typing import Annotated

import typer

from services.cli.clients import Clients, connect
from services.cli.console import messages, output
from services.cli.failures import CommandError, clear_failures, run
from services.cli.options import SuiteOptions, Tenant, with_options
from services.cli.reading import (
    EventMapping,
    Files,
    Reading,
    opened_events,
    rejects_beside,
    say_notes,
)
from services.cli.replay.live_view import live_view
from services.cli.replay.report import as_json, report
from services.cli.replay.run import Replay, ReplayResult
from services.cli.replay.source import ReplaySource, read_history
from services.cli.replay.warm_up import warm_up


@with_options(reading=Reading, mapping=EventMapping, suite=SuiteOptions)
def replay(
    files: Files = None,
    start: Annotated[
        float, typer.Option(help="Where the replay begins: a fraction, or a number of events.")
    ] = 0.8,
    limit: Annotated[int | None, typer.Option(min=1, help="Events to replay.")] = None,
    warm: Annotated[
        bool, typer.Option("--warm-up/--no-warm-up", help="Import what comes before the start.")
    ] = True,
    create_items: Annotated[
        bool, typer.Option(help="Add items that the catalogue does not know.")
    ] = False,
    await_learning: Annotated[
        bool,
        typer.Option(
            "--await-learning",
            help="Ask for each slate only when all before it is learned, as `evaluate` does.",
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything measured to this file.")
    ] = None,
    tenant: Tenant = "default",
    *,
    reading: Reading,
    mapping: EventMapping,
    suite: SuiteOptions,
) -> None:
    """Stream a history in order of time, asking for a slate before each event.

    Compares `full` (the slate asked just before) with `frozen_state` (the slate at the start of the
    replay, without what the user has seen since) by the rank of what the user did next among all
    that the user had not seen. Events of one user in one second are scored together before any of
    them is recorded; events on items seen before are not scored. The whole history is held in
    memory, about 1 KB an event.
    """
    with clear_failures(), opened_events(files, reading, mapping) as (table, options):
        endpoints = suite.endpoints()
        try:
            source = read_history(table, options, start, limit)
        except ValueError as error:
            raise CommandError(str(error)) from None
        if not source.split.after:
            raise CommandError("nothing is left to replay: --start is at the end of the history")
        say_notes(table)
    rejects = rejects_beside("replay", files)

    async def work() -> ReplayResult:
        async with connect(endpoints) as clients:
            return await measured(
                clients, tenant, source, rejects if warm else None, create_items, await_learning
            )

    result = run(work())
    output().print(report(result))
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(result), indent=2) + "\n")


async def measured(
    clients: Clients,
    tenant: str,
    source: ReplaySource,
    rejects: Path | None,
    create_items: bool,
    await_learning: bool = False,
) -> ReplayResult:
    """Replay a history; `rejects` gets what is not taken of what comes before it, None when that
    shall not be imported first. `await_learning`: see Replay.
    """
    console = messages()
    if source.unreadable:
        console.print(f"[yellow]{source.unreadable:,} rows without time or unreadable left out[/]")
    position = b""
    if rejects is not None:
        summary = await warm_up(clients, tenant, source, rejects, create_items)
        position = summary.position
        console.print(
            f"before the split: {summary.counts.accepted:,} events imported, "
            f"{summary.counts.duplicates:,} known before, {summary.counts.not_taken:,} not taken"
        )
    job = Replay(clients, tenant, source, await_learning=await_learning)
    console.print("[dim]taking the slates of frozen_state[/]")
    await job.freeze(position)
    done = 0
    with live_view(job.comparison, len(source.split.after)) as show:
        async for step in job.run():
            done += len(step.group.events)
            show(done)
    return job.result()
